//! The heal worker: reproduces a failing test, repairs it, proves the repair or refuses.
