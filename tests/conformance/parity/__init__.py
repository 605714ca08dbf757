"""Names of the official SDK and of this library, compared one by one.

The SDK's own code says what there is; `names` says what has another name here, or none, and why. A
name that neither this library nor a table knows is an error, and so is a row of the tables that
fits no name: both mean that a new release needs a decision.
"""
