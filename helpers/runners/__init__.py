"""Runners: the ways in which the site's own logic is asked; each implements `fsm.ports.Helper`."""
