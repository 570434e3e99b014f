"""Families of networks, declared where they are built. Which of them a task searches stands in
`task_families`; how they are trained is for the workers."""
