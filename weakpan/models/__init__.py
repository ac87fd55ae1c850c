"""Networks as plain nn.Modules; they know neither Lightning nor files."""
