"""What a trial, an epoch, an augmentation and an ask cost."""
