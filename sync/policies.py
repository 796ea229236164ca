"""The toggles that email sync reads. Off until somebody switches it on; what restricts is never loosened by a member."""
