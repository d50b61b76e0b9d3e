"""The vault's client: HashiCorp Vault and OpenBao, through hvac."""
