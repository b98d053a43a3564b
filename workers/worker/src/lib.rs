//! What every worker is: a function from a typed message to an outcome, and its adapter to a stream.
