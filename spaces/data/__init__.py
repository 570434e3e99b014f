"""Images, labels and splits, from files to cached arrays. Which data a task has is for
`spaces/tasks`."""
