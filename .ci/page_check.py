#!/usr/bin/env python3
"""Opens a report page in headless Chromium: it must make no request and log nothing to the console.

Usage: page_check.py PAGE [SCREENSHOT]. Without Chromium it says so and passes: the page is checked
where a browser is installed.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
         '--disable-background-networking', '--disable-component-update', '--disable-sync',
         '--hide-scrollbars', '--enable-logging=stderr', '--virtual-time-budget=5000',
         '--host-resolver-rules=MAP * ~NOTFOUND']
BROWSERS_OWN = 'not an origin'  # the initiator of what the browser asks for by itself


def requests(log):
    """The page's own requests in a Chromium net log; file: and data: are none."""
    urls = set()
    for event in log.get('events', []):
        params = event.get('params')
        if isinstance(params, dict) and params.get('initiator', BROWSERS_OWN) != BROWSERS_OWN:
            if re.match(r'(https?|wss?|ftp):', params.get('url', '')):
                urls.add(params['url'])
    return sorted(urls)


def read_log(path):
    """A net log; one that was cut off at the end is closed first."""
    with open(path) as f:
        text = f.read()
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(text.rstrip().rstrip(',') + ']}')


def outside(text):
    """Places in the page's source that name something outside of it to be loaded."""
    return re.findall(r'(?:src|href)\s*=\s*["\']?(?!["\']|#|data:)[^"\'\s>]+|@import|'
                      r'url\((?!["\']?(?:data:|#))[^)]*\)|\bfetch\(|XMLHttpRequest', text)


def main():
    page = os.path.abspath(sys.argv[1])
    with open(page, encoding='utf-8') as f:
        found = outside(f.read())
    for what in found:
        print(f'{sys.argv[1]}: loads from outside: {what}')
    browser = shutil.which('chromium')
    if not browser:
        print('page_check: no chromium here; looked at the source only')
        return 1 if found else 0
    with tempfile.TemporaryDirectory() as home:
        net_log = os.path.join(home, 'net.json')
        shot = [f'--screenshot={os.path.abspath(sys.argv[2])}', '--window-size=1280,2400'] \
            if len(sys.argv) > 2 else ['--dump-dom']
        command = [browser, *FLAGS, f'--user-data-dir={home}', f'--log-net-log={net_log}', *shot]
        done = subprocess.run(command + ['file://' + page], capture_output=True, text=True,
                              timeout=120)
        console = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
        urls = requests(read_log(net_log))
    for line in console:
        print('console: ' + line)
    for url in urls:
        print('request: ' + url)
    print(f'page_check: {len(found) + len(console) + len(urls)} complaints, '
          f'browser status {done.returncode}')
    return 1 if found or console or urls or done.returncode else 0


if __name__ == '__main__':
    sys.exit(main())
