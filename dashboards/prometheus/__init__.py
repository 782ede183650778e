"""Alert rules as code: thresholds, catalogues of alerts, and the generator of rules, their tests and runbooks."""
