//! Amounts in Kubernetes's notation, exactly: `500m`, `1.5`, `512Mi`, `1e3`.
//!
//! An amount is a whole number of billionths, which is the finest that
//! [Kubernetes](https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/) knows; what is
//! finer is rounded up, and nothing is larger than 2⁶³−1, both as there.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

/// Billionths in one.
const ONE: u128 = 1_000_000_000;
/// The largest amount that Kubernetes keeps.
const LARGEST: u128 = i64::MAX as u128 * ONE;
/// The most digits that are read, more than any amount needs.
const DIGITS: usize = 40;

const BINARY: [(&str, u32); 6] = [
    ("Ei", 60),
    ("Pi", 50),
    ("Ti", 40),
    ("Gi", 30),
    ("Mi", 20),
    ("Ki", 10),
];

/// An amount of something: processors, bytes, pods. Never negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u128);

/// A text that is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoQuantity {
    /// It does not follow the notation.
    #[error("is no Kubernetes quantity such as `500m` or `512Mi`")]
    Syntax,
    /// It is less than nothing.
    #[error("is less than zero")]
    Negative,
    /// It is more than Kubernetes keeps.
    #[error("is more than 9223372036854775807, the largest quantity of Kubernetes")]
    TooLarge,
}

impl Quantity {
    /// None of it.
    pub const ZERO: Self = Self(0);

    /// So many whole ones: processors, bytes, pods.
    pub const fn whole(count: u64) -> Self {
        Self(count as u128 * ONE)
    }

    /// So many thousandths, as processors are counted.
    pub const fn milli(count: u64) -> Self {
        Self(count as u128 * (ONE / 1000))
    }

    /// So many MiB.
    pub const fn mebibytes(count: u64) -> Self {
        Self(((count as u128) << 20) * ONE)
    }

    /// Whether there is none of it.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is a whole number, as bytes are.
    pub const fn is_whole(self) -> bool {
        self.0.is_multiple_of(ONE)
    }

    /// The sum; at the end of the numbers it stays there, which is beyond every quota.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// So many times as much.
    #[must_use]
    pub const fn times(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count as u128))
    }

    /// The amount in a manifest, which may be a string or a number there.
    pub fn of_value(value: &Value) -> Result<Self, NoQuantity> {
        match value {
            Value::String(text) => text.parse(),
            Value::Number(number) => number.to_string().parse(),
            _ => Err(NoQuantity::Syntax),
        }
    }
}

impl FromStr for Quantity {
    type Err = NoQuantity;

    fn from_str(text: &str) -> Result<Self, NoQuantity> {
        let unsigned = text.strip_prefix('+').unwrap_or(text);
        let negative = unsigned.starts_with('-');
        let unsigned = unsigned.strip_prefix('-').unwrap_or(unsigned);
        let end = unsigned
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(unsigned.len());
        let (number, unit) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if (whole.is_empty() && fraction.is_empty())
            || fraction.contains('.')
            || whole.len() + fraction.len() > DIGITS
        {
            return Err(NoQuantity::Syntax);
        }
        let scale = Scale::of(unit).ok_or(NoQuantity::Syntax)?;
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let places = i32::try_from(fraction.len()).map_err(|_| NoQuantity::Syntax)?;
        let amount = if digits.is_empty() {
            0
        } else {
            let digits: u128 = digits.parse().map_err(|_| NoQuantity::TooLarge)?;
            scale
                .billionths(digits, places)
                .ok_or(NoQuantity::TooLarge)?
        };
        match amount {
            0 => Ok(Self::ZERO),
            _ if negative => Err(NoQuantity::Negative),
            more if more > LARGEST => Err(NoQuantity::TooLarge),
            amount => Ok(Self(amount)),
        }
    }
}

/// What a unit multiplies by.
enum Scale {
    /// A power of two.
    Binary(u32),
    /// A power of ten.
    Decimal(i32),
}

impl Scale {
    fn of(unit: &str) -> Option<Self> {
        if let Some((_, power)) = BINARY.iter().find(|(name, _)| *name == unit) {
            return Some(Self::Binary(*power));
        }
        let power = match unit {
            "n" => -9,
            "u" => -6,
            "m" => -3,
            "" => 0,
            "k" => 3,
            "M" => 6,
            "G" => 9,
            "T" => 12,
            "P" => 15,
            "E" => 18,
            exponent => {
                let power = exponent.strip_prefix(['e', 'E'])?;
                let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
                if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    return None;
                }
                power
                    .parse()
                    .ok()
                    .filter(|power| (-99..=99).contains(power))?
            }
        };
        Some(Self::Decimal(power))
    }

    /// `digits` with `places` of them behind the point, in billionths, rounded up. `None` where no number is as large.
    fn billionths(&self, digits: u128, places: i32) -> Option<u128> {
        let (digits, power) = match *self {
            Self::Decimal(power) => (digits, power - places + 9),
            // At most 2^127 stands for an amount beyond the largest even after 40 places are taken off it again.
            Self::Binary(power) => (binary(digits, power)?, 9 - places),
        };
        let ten = 10_u128.checked_pow(power.unsigned_abs());
        if power >= 0 {
            digits.checked_mul(ten?)
        } else {
            Some(ten.map_or(1, |ten| digits.div_ceil(ten)))
        }
    }
}

fn binary(digits: u128, power: u32) -> Option<u128> {
    digits.checked_mul(1_u128 << power)
}

impl fmt::Display for Quantity {
    /// In the largest unit that needs no point: binary where it is a multiple of 1024, else decimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / ONE, self.0 % ONE);
        if whole > 0 && rest == 0 {
            for (unit, power) in BINARY {
                if whole.is_multiple_of(1 << power) {
                    return write!(f, "{}{unit}", whole >> power);
                }
            }
            return write!(f, "{whole}");
        }
        for (unit, size) in [("", ONE), ("m", 1_000_000), ("u", 1000), ("n", 1)] {
            if self.0.is_multiple_of(size) {
                return write!(f, "{}{unit}", self.0 / size);
            }
        }
        Ok(())
    }
}

impl serde::Serialize for Quantity {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Quantity {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|problem| serde::de::Error::custom(format_args!("`{text}` {problem}")))
    }
}
