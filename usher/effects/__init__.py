"""Effects: each of the machine's intentions as a coroutine over the ports."""
