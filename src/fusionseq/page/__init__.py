"""The parts of the report page: values in, HTML or specifications of charts out."""
