/// The protocol, rule by rule. [`Rules::default`] keeps them all; a test takes one away and the search must find what goes
/// wrong.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a rule that is kept or broken, in any combination"
)]
pub struct Rules {
    /// How a commit's effect and its acknowledgement belong together.
    pub publishing: Publishing,
    /// Whoever takes an entry away from a consumer removes that consumer's fence token in the same script.
    pub takeover_revokes: bool,
    /// Whoever creates a lost group again removes the tokens of all its consumers.
    pub recreation_revokes: bool,
    /// A token is learned together with the list of what was lost, and what was lost is dropped.
    pub relearning_drops_the_lost: bool,
    /// A token that is learned covers only what has been in hand ever since it was asked for.
    pub relearning_covers_what_was_asked: bool,
    /// What was read before a token was learned is not covered by it.
    pub reads_have_an_epoch: bool,
    /// An outcome whose first commit was not answered is committed with a look-up of its entries, and without a token.
    pub resend_is_exact: bool,
    /// After a commit that was not answered, nothing is trusted before the server has made a new token.
    pub lost_reply_renews: bool,
    /// A commit that acknowledges something and does not carry the present token removes it: it comes from before.
    pub late_acknowledgement_revokes: bool,
    /// What a tick finds (recovered, or taken over) is not covered by the token before the next tick, and neither is a read on its way.
    pub found_is_not_trusted: bool,
    /// What a commit carries is not taken in hand again before that commit is answered, so that no two carry the same.
    pub one_flight_an_entry: bool,
    /// A message's key is marked when it takes effect, and looked for before.
    pub marks: bool,
    /// What a handler says along the way is said only while its consumer owns the entry.
    pub words_ask_for_the_owner: bool,
    /// What a handler says along the way is marked, and looked for before.
    pub words_are_marked: bool,
}

/// How a commit's effect and its acknowledgement belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publishing {
    /// One script does both.
    WithTheAcknowledgement,
    /// First the effect, then, in a step of its own, the acknowledgement.
    Before,
    /// First the acknowledgement, then, in a step of its own, the effect.
    After,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            publishing: Publishing::WithTheAcknowledgement,
            takeover_revokes: true,
            recreation_revokes: true,
            relearning_drops_the_lost: true,
            relearning_covers_what_was_asked: true,
            reads_have_an_epoch: true,
            resend_is_exact: true,
            lost_reply_renews: true,
            late_acknowledgement_revokes: true,
            found_is_not_trusted: true,
            one_flight_an_entry: true,
            marks: true,
            words_ask_for_the_owner: true,
            words_are_marked: true,
        }
    }
}
