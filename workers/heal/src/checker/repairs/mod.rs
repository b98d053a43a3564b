//! The strategies for findings. Each makes candidates of what came with the failure; none of them knows how a checker is run.

mod moved;
mod own_fix;
mod types;

use crate::search::Repairs;

/// Those of the seven that have something to say of a finding, in the order in which they are asked.
pub(super) fn all() -> Repairs {
    &[
        &own_fix::SyntaxRepair,
        &own_fix::ApiContractAdaptation,
        &types::DependencyFix,
        &moved::Moved,
    ]
}
