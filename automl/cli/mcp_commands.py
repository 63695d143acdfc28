"""`automl mcp`: the tools of this program for agents."""

from __future__ import annotations

import click

from automl.errors import LaunchError, Problem

commands = click.Group()


@commands.command("mcp")
def _mcp() -> None:
    """Offer list, space, plan, doctor, run, status, logs, stop, compare, evaluate and export as tools of an MCP server.

    An agent starts it and speaks the Model Context Protocol on its stdin and stdout. `run` needs the fingerprint of the
    plan that was shown, and returns at once; a study outlives the server.
    """
    try:
        from automl.cli.mcp_server import serve
    except ModuleNotFoundError as error:
        fix = "pip install 'automl-vision[mcp]'"
        problem = Problem(where="automl mcp", found=str(error), expected="the Python SDK of MCP", fix=fix)
        raise LaunchError("the tools cannot be offered", [problem]) from error
    serve()
