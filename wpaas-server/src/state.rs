//! What every handler may reach.

use std::sync::Arc;

use crate::config::Settings;
use crate::metrics::Metrics;
use crate::operator::OperatorToken;

/// Shared by all requests; cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    pub settings: Arc<Settings>,
    pub metrics: Metrics,
    pub operator: OperatorToken,
}
