//! The order in which candidates are tried: lower is cheaper and safer. A repair that nothing contradicts comes
//! before a guess, a change of one character before one of many, and a change of the code that lasts before a pin
//! that must be lifted one day.

/// What was found out by running the test, not by reading it: state given back, a seed, an order. Further ones follow.
pub const STEADY: u32 = 1;
/// A configuration file in the form that its reader wants.
pub const CONFIGURATION: u32 = 10;
/// A leftover of Python 2 in the form that means the same in Python 3.
pub const PYTHON_2: u32 = 20;
/// A variable that the project itself sets elsewhere.
pub const DECLARED_VARIABLE: u32 = 25;
/// A place of its own for what a test writes, binds or runs.
pub const FIXTURE: u32 = 28;
/// One missing or superfluous character.
pub const ONE_CHARACTER: u32 = 30;
/// A distribution that the project itself asks for, or that is the only one to bring what is missing.
pub const KNOWN_DISTRIBUTION: u32 = 40;
/// A rule under which the new form means the same; one more for the whole project than for its tests.
pub const EXACT_RULE: u32 = 50;
/// A maintained fork of a package that nobody maintains: a port away from it lasts longer, where there is one.
pub const FORK: u32 = 55;
/// A rule that may behave differently in a corner.
pub const APPROXIMATE_RULE: u32 = 60;
/// A name found where the installed package defines it now.
pub const DERIVED: u32 = 70;
/// An older version that the project's own requirements allow; further ones, older, follow.
pub const OLDER_VERSION: u32 = 80;
/// More time for something to happen, where the test itself says for what it waits.
pub const WAIT: u32 = 75;
/// What a test expects, in the words that it is said in now: after everything that leaves the test as it is.
pub const EXPECTATION: u32 = 90;
/// Another interpreter that the project says it is made for: the code is left as it is, and so is what it fails by.
pub const OTHER_INTERPRETER: u32 = 95;
/// A distribution found by its name only.
pub const GUESSED_DISTRIBUTION: u32 = 100;
/// The versions that were current when the project's code was, all at once.
pub const OF_ITS_TIME: u32 = 110;
