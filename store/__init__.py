"""What tinglan knows: frozen values, tables, the engine and its migrations."""
