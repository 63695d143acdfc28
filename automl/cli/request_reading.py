"""`--request-model`: a language model reads the text of a request, and a person confirms what it has understood."""

from __future__ import annotations

import dataclasses
import json
import sys
from typing import TYPE_CHECKING

import click

from automl.cli.paths import wrong_argument
from automl.errors import LaunchError

if TYPE_CHECKING:
    from automl.request.study_request import StudyRequest

_ANSWERS = 3
_SHOWN = 200


def with_reading(request: StudyRequest) -> StudyRequest:
    """Return the request with what a language model reads in its text; the model is asked once, and never on a resume.

    Raises:
        ConfigurationError: no text, no skill, or no answer that keeps the rules.
        LaunchError: no endpoint is named, or it does not answer.
    """
    from automl.request.apply_text import known_metrics, parse_for
    from automl.request.model_reading import check_reading, instructions
    from automl.samplers.llm.chat import ask_model, check_endpoint, read_endpoint
    from automl.skill.load import load_skill

    if not request.request_text:
        fix = "add --request TEXT, or leave it out"
        raise wrong_argument("--request-model", "no --request beside it", "a text to read", fix)
    skill, endpoint = load_skill(request.skill), read_endpoint()
    if endpoint is None:
        raise LaunchError("no language model is named", check_endpoint())
    parsed, metrics = parse_for(request, skill), known_metrics(skill)
    messages = [
        {"role": "system", "content": instructions(metrics)},
        {"role": "user", "content": endpoint.hide_key(request.request_text)},
    ]
    wrong: list[str] = []
    for _ in range(_ANSWERS):
        try:
            answer = ask_model(endpoint, messages)
        except LaunchError as error:
            fix = "check AUTOML_LLM_BASE_URL, AUTOML_LLM_MODEL and AUTOML_LLM_API_KEY, or leave out --request-model"
            problems = [dataclasses.replace(problem, fix=fix) for problem in error.problems]
            raise LaunchError("the language model did not read the request; nothing was started", problems) from error
        document = _object(answer)
        wrong = check_reading(document, request.request_text, parsed, metrics)
        if not wrong:
            reading = {**document, "model": endpoint.model} if isinstance(document, dict) else {}
            return request.with_settings(request_reading=reading)
        correction = f"That cannot be used: {'; '.join(wrong)}. Answer again, with one JSON object."
        messages += [{"role": "assistant", "content": answer}, {"role": "user", "content": correction}]
    found = endpoint.hide_key("; ".join(wrong))[:_SHOWN]
    fix = "say it in plain forms, use another model, or leave out --request-model"
    raise wrong_argument(f"--request-model {endpoint.model}", found, "a reading that keeps the rules", fix)


def _object(answer: str) -> object:
    try:
        return json.loads(answer[answer.find("{") : answer.rfind("}") + 1])
    except ValueError:
        return answer[:_SHOWN]


def confirm_reading(request: StudyRequest) -> None:
    """Show what a model has understood and ask whether it is right; `click.Abort` where the answer is no.

    Raises:
        ConfigurationError: nobody can be asked.
    """
    from automl.request.text import meaning_of

    readings = request.request_reading.get("readings", ())
    lines = [f'"{one["words"]}": {meaning_of(one["setting"], one["value"])}' for one in readings]
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        found = f"a reading that nobody has confirmed: {'; '.join(lines) or 'nothing'}"
        fix = "look at it with automl plan, then --yes"
        raise wrong_argument("--request-model", found, "a terminal, or --yes", fix)
    click.echo(f"{request.request_reading['model']} has read in the request:", err=True)
    for line in lines or ["nothing"]:
        click.echo(f"  {line}", err=True)
    click.confirm("Is that what you mean?", abort=True, err=True)
