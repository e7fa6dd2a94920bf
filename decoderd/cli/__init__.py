"""The command line: `app` puts it together; one module holds each group of commands."""
