"""Rewrites the lists of source files in configure.py from the files that exist."""
import os
import re


def adopt(root, folders):
    """Sorted, one line for each stem."""
    path = os.path.join(root, 'configure.py')
    with open(path) as f:
        text = f.read()
    for folder in folders:
        names = sorted(n for n in os.listdir(os.path.join(root, folder))
                       if n.endswith(('.h', '.cc')))
        stems = {}
        for name in names:
            stem = re.sub(r'(_test|_perf)?\.(h|cc)$', '', name)
            stems.setdefault(stem, []).append(name)
        lines = ''.join(' '.join(stems[stem]) + '\n' for stem in sorted(stems))
        text = re.sub(rf'(?ms)^{folder.upper()} = """\n.*?^"""',
                      f'{folder.upper()} = """\n{lines}"""', text, count=1)
    with open(path, 'w') as f:
        f.write(text)
