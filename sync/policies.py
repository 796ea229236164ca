"""The toggles that email sync reads. Off until switched on; what restricts is never loosened by a member."""
