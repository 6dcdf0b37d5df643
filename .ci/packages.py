"""The Debian packages of deps.txt: which are missing, and installing them."""
import os
import shutil
import subprocess
import sys

LIST = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'deps.txt')


def packages():
    with open(LIST) as f:
        return [line.split('#')[0].strip() for line in f if line.split('#')[0].strip()]


def missing_packages():
    shown = subprocess.run(['dpkg-query', '-W', '-f', '${Package} ${db:Status-Status}\n'] +
                           packages(), capture_output=True, text=True).stdout
    there = {line.split()[0] for line in shown.splitlines() if line.endswith(' installed')}
    return [p for p in packages() if p not in there]


def install():
    """Returns an exit status."""
    if not shutil.which('apt-get') or not shutil.which('dpkg-query'):
        print('configure.py --install knows Debian only (apt-get). On another system install what '
              'these Debian packages hold, then run ./configure.py without --install:\n  ' +
              ' '.join(packages()), file=sys.stderr)
        return 1
    missing = missing_packages()
    if not missing:
        print(f'configure.py: all {len(packages())} packages are installed')
        return 0
    prefix = [] if os.geteuid() == 0 else ['sudo']
    if prefix and not shutil.which('sudo'):
        print('configure.py --install: not root, and there is no sudo. As root, run:\n  '
              'apt-get install ' + ' '.join(missing), file=sys.stderr)
        return 1
    apt = prefix + ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q']
    print('configure.py: installing ' + ' '.join(missing), flush=True)
    subprocess.run(apt + ['update'])  # when it fails, what is known already may do
    if subprocess.run(apt + ['install', '-y', '--no-install-recommends'] + missing).returncode:
        print('configure.py --install: apt-get failed, see above. Wanted: ' + ' '.join(missing),
              file=sys.stderr)
        return 1
    return 0
