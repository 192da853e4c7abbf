"""Every message asks here before it goes on."""
