"""Whether pgBackRest would trust a server: certificates, chains, and the handshake."""
