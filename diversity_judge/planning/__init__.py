"""What is to be judged: which pairs of a group, in which prompt, under which key."""
