//! The failures of a job whose URL, or a URL that it leads to, is not connected to.

use ytcaption_domain::network::AddressRefusal;

use crate::egress::{Blocked, EgressError};
use crate::network::NetworkError;
use crate::steps::error::{RetryClass, StepError, sentence};

/// The URL of the job was refused before the download began.
pub(super) fn refused_url(error: &NetworkError) -> StepError {
    network_error(error, format!("{}.", sentence(error)))
}

/// A connection to the media was refused, or could not be made.
pub(super) fn blocked_connection(Blocked { destination, error }: &Blocked) -> StepError {
    let step_error = match error {
        EgressError::Network(network) => {
            network_error(network, format!("The URL leads to {destination}. {}.", sentence(network)))
        }
        EgressError::Unreachable(reason) => {
            // Why, of an address that a redirect chose, is for the operator: the difference between refused and unanswered shows what is there.
            let text = format!("The server of the media could not be reached ({destination}).");
            StepError::transient("unavailable", text).because(reason)
        }
        EgressError::TimedOut => {
            let text = format!("The server of the media did not answer in time ({destination}).");
            StepError::transient("timed_out", text)
        }
        EgressError::UpstreamProxy(reason) => {
            let text = format!(
                "The worker could not connect to {destination} through the proxy that its environment names (HTTP_PROXY, \
                 HTTPS_PROXY, ALL_PROXY): contact the operator, whose log says why."
            );
            StepError::transient("unavailable", text).because(reason)
        }
    };
    step_error.at(destination)
}

fn network_error(error: &NetworkError, text: String) -> StepError {
    match error {
        NetworkError::Unresolved { .. } => StepError::new(RetryClass::Unresolved, "unresolved_host", text),
        NetworkError::Refused(AddressRefusal::Private(_)) | NetworkError::Internal { .. } => {
            StepError::permanent("private_address", text)
        }
        NetworkError::Refused(AddressRefusal::Scheme(_) | AddressRefusal::NoHost) => {
            StepError::permanent("invalid_url", text)
        }
    }
}
