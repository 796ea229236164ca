"""The embedded servers: started, stopped, killed, found again."""
