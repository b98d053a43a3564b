//! Every message type there is, and what each has in common with the others.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::check::{CheckCompleted, CheckRequested};
use crate::environment::{
    CleanupRequested, EnvironmentDeleted, EnvironmentExtended, EnvironmentRequested,
    EnvironmentStatus, EnvironmentTested, ExtensionRequested,
};
use crate::error::{ErrorReported, ErrorTriaged};
use crate::heal::{HealApproved, HealCompleted, HealRejected, HealRequested};
use crate::path::JsonPath;
use crate::stream::Stream;
use crate::validation::{ValidationCompleted, ValidationRequested};
use crate::violation::Violation;

/// What the field `data` of one message type holds.
pub trait Payload:
    Serialize
    + DeserializeOwned
    + JsonSchema
    + Into<Message>
    + Clone
    + PartialEq
    + fmt::Debug
    + Send
    + Sync
    + 'static
{
    /// The value of the field `type`.
    const TYPE: &'static str;
    /// The one stream that carries it.
    const STREAM: Stream;

    /// What the payload must satisfy beyond its type.
    fn check(&self) -> Result<(), Violation>;
}

/// What a reader of one stream takes: one [`Payload`], or an enum of several that one stream carries.
pub trait Inbound: Sized + Clone + fmt::Debug + Send + 'static {
    /// The stream that carries them.
    const STREAM: Stream;

    /// The message as one of them; the message itself if it is none.
    #[expect(
        clippy::result_large_err,
        reason = "the message is handed back, not reported"
    )]
    fn from_message(message: Message) -> Result<Self, Message>;
}

/// A payload that does not have the shape of its type.
pub(crate) enum Misfit {
    /// Serde's word, and where it was said.
    Shape(JsonPath, serde_json::Error),
    /// The word of [`Payload::check`].
    Rule(Violation),
}

/// One message type, without a payload.
#[derive(Clone, Copy)]
pub struct Type {
    /// The value of the field `type`.
    pub name: &'static str,
    /// The one stream that carries it.
    pub stream: Stream,
    /// The name of the Rust type, which is also that of the schema.
    pub title: &'static str,
    pub(crate) schema: fn(&mut SchemaGenerator) -> Schema,
    pub(crate) read: fn(&Value) -> Result<Message, Misfit>,
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Type {
    /// Every message type, in the order of the contract's table.
    pub const ALL: &'static [Self] = TYPES;

    /// The message type of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|known| known.name == name)
    }

    /// The types that a stream carries.
    pub fn on(stream: Stream) -> impl Iterator<Item = &'static Self> {
        Self::ALL.iter().filter(move |known| known.stream == stream)
    }
}

fn read<T: Payload>(value: &Value) -> Result<Message, Misfit> {
    let payload: T = serde_path_to_error::deserialize(value)
        .map_err(|error| Misfit::Shape(error.path().into(), error.into_inner()))?;
    payload.check().map_err(Misfit::Rule)?;
    Ok(payload.into())
}

macro_rules! messages {
    ($($name:ident),* $(,)?) => {
        /// A payload of any type.
        #[derive(Debug, Clone, PartialEq)]
        #[expect(
            clippy::large_enum_variant,
            reason = "one at a time is read, looked at and let go; a box would be an allocation more for each"
        )]
        pub enum Message {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($name),
            )*
        }

        const TYPES: &[Type] = &[
            $(Type {
                name: <$name as Payload>::TYPE,
                stream: <$name as Payload>::STREAM,
                title: stringify!($name),
                schema: |generator| generator.subschema_for::<$name>(),
                read: read::<$name>,
            },)*
        ];

        impl Message {
            /// The value of the field `type`.
            pub fn type_name(&self) -> &'static str {
                match self { $(Self::$name(_) => <$name as Payload>::TYPE,)* }
            }

            /// The one stream that carries it.
            pub fn stream(&self) -> Stream {
                match self { $(Self::$name(_) => <$name as Payload>::STREAM,)* }
            }

            /// What the payload must satisfy beyond its type.
            pub fn check(&self) -> Result<(), Violation> {
                match self { $(Self::$name(payload) => payload.check(),)* }
            }
        }

        impl Serialize for Message {
            /// The payload alone, without its type.
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$name(payload) => payload.serialize(serializer),)* }
            }
        }

        $(
            impl From<$name> for Message {
                fn from(payload: $name) -> Self {
                    Self::$name(payload)
                }
            }

            impl Inbound for $name {
                const STREAM: Stream = <$name as Payload>::STREAM;

                fn from_message(message: Message) -> Result<Self, Message> {
                    match message {
                        Message::$name(payload) => Ok(payload),
                        other => Err(other),
                    }
                }
            }
        )*
    };
}

messages! {
    CheckRequested,
    ErrorReported,
    HealRequested,
    ValidationRequested,
    HealApproved,
    HealRejected,
    ErrorTriaged,
    HealCompleted,
    ValidationCompleted,
    CheckCompleted,
    EnvironmentRequested,
    CleanupRequested,
    ExtensionRequested,
    EnvironmentStatus,
    EnvironmentTested,
    EnvironmentExtended,
    EnvironmentDeleted,
}
