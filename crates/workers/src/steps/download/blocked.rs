//! What it means for the person who submitted an address that it, or one behind it, is not connected to.

use ytcaption_domain::network::AddressRefusal;

use crate::egress::{Blocked, EgressError};
use crate::network::NetworkError;
use crate::steps::error::{StepError, sentence};

/// The error behind an address that was refused before anything was fetched.
pub(super) fn refused(error: &NetworkError) -> StepError {
    network_error(error, format!("{}.", sentence(error)))
}

/// The error behind a connection that was refused, or could not be made, on the way to the recording.
pub(super) fn step_error(Blocked { destination, error }: &Blocked) -> StepError {
    match error {
        EgressError::Network(network) => {
            network_error(network, format!("The address leads on to {destination}. {}.", sentence(network)))
        }
        EgressError::Unreachable(reason) => {
            let text = format!("The server of the recording could not be reached ({destination}: {reason}).");
            StepError::transient("unavailable", text)
        }
        EgressError::TimedOut => {
            let text = format!("The server of the recording did not answer in time ({destination}).");
            StepError::transient("timed_out", text)
        }
        EgressError::Onward(reason) => {
            let text = format!(
                "The worker could not connect to {destination} by the proxy that its environment names (HTTP_PROXY, \
                 HTTPS_PROXY, ALL_PROXY; {reason}): tell the operator."
            );
            StepError::transient("unavailable", text)
        }
    }
}

fn network_error(error: &NetworkError, text: String) -> StepError {
    match error {
        NetworkError::Unresolved { .. } => StepError::transient("unresolved_host", text),
        NetworkError::Refused(AddressRefusal::Private(_)) => StepError::permanent("private_address", text),
        NetworkError::Refused(AddressRefusal::Scheme(_) | AddressRefusal::NoHost) => {
            StepError::permanent("invalid_url", text)
        }
    }
}
