"""`davylamp lab`: labelled attacks and benign traffic as real records, to check rules and deployments."""
