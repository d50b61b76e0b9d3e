"""AWS: the few calls of IAM and STS that rotations need, signed by requests-aws4auth, sent by httpx."""
