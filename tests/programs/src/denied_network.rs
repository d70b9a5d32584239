//! Connects, listens, sends and asks for names. Each must be denied.

use std::net::{TcpListener, TcpStream, ToSocketAddrs, UdpSocket};

use airlock_sdk::{Error, OutputContext, Source};

pub struct Program;

impl crate::Program for Program {
    fn store(_context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let mut refusals = crate::Refusals::default();
        for address in ["127.0.0.1:80", "169.254.169.254:80", "[::1]:80"] {
            refusals.expect(format!("connect to {address}"), TcpStream::connect(address));
        }
        refusals.expect("listen", TcpListener::bind("127.0.0.1:0"));
        refusals.expect("send", UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.send_to(b"x", "127.0.0.1:53")));
        refusals.expect("look up", "localhost:80".to_socket_addrs().map(Iterator::count));
        refusals.finish()
    }
}
