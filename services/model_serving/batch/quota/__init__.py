"""How much of everything a tenant may have stored."""
