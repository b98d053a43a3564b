"""Prints the releases of distributions as JSON, newest first, by the finder, the settings and the session of the pip in reach."""

import json
import platform
import sys
from concurrent.futures import ThreadPoolExecutor

from pip._internal.cli.cmdoptions import make_target_python
from pip._internal.commands.index import IndexCommand
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet

FORMS = ["pure", "compiled", "source"]


def form(link):
    if not link.is_wheel:
        return "source"
    return "pure" if link.filename.endswith("-none-any.whl") else "compiled"


def fits(link):
    try:
        return SpecifierSet(link.requires_python or "").contains(platform.python_version(), prereleases=True)
    except InvalidSpecifier:
        return True


def releases(finder, name):
    found = {}
    for candidate in finder.find_all_candidates(name):
        if candidate.link.upload_time is not None:
            found.setdefault(candidate.version, []).append(candidate.link)
    return [
        {
            "version": str(version),
            "published": min(link.upload_time for link in links).date().isoformat(),
            "form": min((form(link) for link in links), key=FORMS.index),
            "fits": any(fits(link) for link in links),
        }
        for version, links in sorted(found.items(), reverse=True)
    ]


command = IndexCommand("index", "")
with command.main_context():
    options, _ = command.parse_args(["--no-input", "--retries=1", "--timeout=15", "versions", "name"])
    session = command.get_default_session(options)
    finder = command._build_package_finder(options, session, make_target_python(options), ignore_requires_python=True)
    names = sys.argv[1:]
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda name: releases(finder, name), names)
        print(json.dumps({name: of for name, of in zip(names, found) if of}))
