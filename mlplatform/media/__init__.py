"""Images as models see them; training and serving must not differ in this."""
