"""Whether pgBackRest would trust a server: ``certificates``, their ``chain``, and a real ``handshake``."""
