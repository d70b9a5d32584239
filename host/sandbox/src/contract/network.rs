//! The network that a guest sees: none. Each way in is refused where it begins, and recorded.
//!
//! `wasmtime-wasi` would refuse the sockets too, as they connect; here they are not even made.

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::p2::bindings::sockets::network::{self, ErrorCode, IpAddress, IpAddressFamily};
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup, tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::{DynPollable, Network, SocketError, TcpSocket, UdpSocket};

use crate::call::State;
use crate::report::{Operation, Rule};
use crate::text::safe_line;

pub(super) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    tcp_create_socket::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    udp_create_socket::add_to_linker::<State, HasSelf<State>>(linker, |state| state)?;
    ip_name_lookup::add_to_linker::<State, HasSelf<State>>(linker, |state| state)
}

impl State {
    fn refuse_network(&mut self, subject: &str) -> SocketError {
        self.files.record().deny(Operation::Network, subject, Rule::NoNetwork);
        ErrorCode::AccessDenied.into()
    }
}

impl network::Host for State {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn network_error_code(&mut self, _: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(None)
    }
}

impl network::HostNetwork for State {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        self.table.delete(network)?;
        Ok(())
    }
}

impl tcp_create_socket::Host for State {
    fn create_tcp_socket(&mut self, _: IpAddressFamily) -> Result<Resource<TcpSocket>, SocketError> {
        Err(self.refuse_network("a TCP socket"))
    }
}

impl udp_create_socket::Host for State {
    async fn create_udp_socket(&mut self, _: IpAddressFamily) -> Result<Resource<UdpSocket>, SocketError> {
        Err(self.refuse_network("a UDP socket"))
    }
}

type AddressStream = ip_name_lookup::ResolveAddressStream;

impl ip_name_lookup::Host for State {
    fn resolve_addresses(
        &mut self,
        _: Resource<Network>,
        name: String,
    ) -> Result<Resource<AddressStream>, SocketError> {
        Err(self.refuse_network(&format!("looking up {}", safe_line(&name, 200))))
    }
}

/// No stream is ever handed out, so none can be used.
impl ip_name_lookup::HostResolveAddressStream for State {
    fn resolve_next_address(&mut self, _: Resource<AddressStream>) -> Result<Option<IpAddress>, SocketError> {
        Err(ErrorCode::InvalidState.into())
    }

    fn subscribe(&mut self, _: Resource<AddressStream>) -> wasmtime::Result<Resource<DynPollable>> {
        Err(wasmtime::format_err!("no address is being resolved"))
    }

    fn drop(&mut self, _: Resource<AddressStream>) -> wasmtime::Result<()> {
        Ok(())
    }
}
