"""What the scripts may be told: typed schemas that the YAML under conf/ fills, and checks that types cannot make."""
