//! What it means for the person who submitted an address that it, or one behind it, is not connected to.

use ytcaption_domain::network::AddressRefusal;

use crate::egress::{Blocked, EgressError};
use crate::network::NetworkError;
use crate::stages::fault::{Fault, sentence};

/// The fault behind an address that was refused before anything was fetched.
pub(super) fn refused(error: &NetworkError) -> Fault {
    fault(error, format!("{}.", sentence(error)))
}

/// The fault behind a connection that was refused, or could not be made, on the way to the recording.
pub(super) fn fault_of(Blocked { destination, error }: &Blocked) -> Fault {
    match error {
        EgressError::Network(network) => {
            fault(network, format!("The address leads on to {destination}. {}.", sentence(network)))
        }
        EgressError::Unreachable(reason) => {
            let text = format!("The server of the recording could not be reached ({destination}: {reason}).");
            Fault::transient("unavailable", text)
        }
        EgressError::TimedOut => {
            let text = format!("The server of the recording did not answer in time ({destination}).");
            Fault::transient("timed_out", text)
        }
        EgressError::Onward(reason) => {
            let text = format!(
                "The worker could not connect to {destination} by the proxy that its environment names (HTTP_PROXY, \
                 HTTPS_PROXY, ALL_PROXY; {reason}): tell the operator."
            );
            Fault::transient("unavailable", text)
        }
    }
}

fn fault(error: &NetworkError, text: String) -> Fault {
    match error {
        NetworkError::Unresolved { .. } => Fault::transient("unresolved_host", text),
        NetworkError::Refused(AddressRefusal::Private(_)) => Fault::permanent("private_address", text),
        NetworkError::Refused(AddressRefusal::Scheme(_) | AddressRefusal::NoHost) => {
            Fault::permanent("invalid_url", text)
        }
    }
}
