//! Templates as an operator meets them: those that are built in, and a directory of his own.

use maestro_environment::plan::rehearsal;
use maestro_environment::settings::Settings;

#[test]
fn every_template_that_is_built_in_goes_with_every_request() {
    rehearsal::load(None, &Settings::default()).unwrap();
}
