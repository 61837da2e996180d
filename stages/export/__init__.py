"""Labels as other trainers read them."""
