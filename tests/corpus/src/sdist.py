"""Fetches the source of one version from where pip finds it, and runs nothing of it: NAME VERSION DIRECTORY."""

import pathlib
import sys

from pip._internal.commands.download import DownloadCommand
from pip._vendor.packaging.specifiers import SpecifierSet

name, version, directory = sys.argv[1:]
command = DownloadCommand("download", "")
options, _ = command.parse_args(["--no-binary", ":all:", name])
with command.main_context():
    session = command.get_default_session(options)
    finder = command._build_package_finder(options, session, ignore_requires_python=True)
    candidate = finder.find_best_candidate(name, SpecifierSet(f"=={version}")).best_candidate
    if candidate is None:
        sys.exit(f"the index has no source of {name} {version}")
    answer = session.get(candidate.link.url_without_fragment)
    answer.raise_for_status()
    if candidate.link.hash:
        candidate.link.as_hashes().check_against_chunks([answer.content])
    (pathlib.Path(directory) / candidate.link.filename).write_bytes(answer.content)
