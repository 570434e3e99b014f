"""What goes to a worker and comes back: requests, results, the executors' contract, and the race
as pure logic. Nothing here trains or starts a process."""
