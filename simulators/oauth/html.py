"""The frame of every page a person sees. Plain HTML that needs no script; callers escape what they put in."""

from html import escape

_STYLE = """
:root{color-scheme:light dark;--blue:#0b5cab;--line:#8886;--card:#fff;--back:#f3f3f3;--text:#181818}
@media(prefers-color-scheme:dark){:root{--blue:#78b0ff;--card:#242424;--back:#161616;--text:#eee}}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;background:var(--back);color:var(--text)}
main{max-width:30rem;margin:3rem auto;padding:2rem;background:var(--card);border:1px solid var(--line);
border-radius:.5rem}main.wide{max-width:52rem}h1{font-size:1.35rem;margin:0 0 .25rem}
p{margin:.5rem 0}.sub{opacity:.8;font-size:.9rem}
label{display:block;margin:.75rem 0 .25rem}input{width:100%;padding:.55rem;font:inherit;
border:1px solid var(--line);border-radius:.25rem;background:transparent;color:inherit}
input[type=checkbox]{width:auto;margin-right:.5rem}
button{width:100%;padding:.6rem 1rem;margin-top:.75rem;
font:inherit;border:1px solid var(--blue);border-radius:.25rem;
background:transparent;color:var(--blue);cursor:pointer;text-align:left}
button.first{background:#0b5cab;color:#fff;text-align:center}.two{display:flex;gap:1rem}.two button{text-align:center}
.error{border-left:4px solid #ba0517;padding:.25rem .75rem}
dl{display:grid;grid-template-columns:14rem 1fr;gap:.25rem 1rem}
dt{opacity:.75}dd{margin:0;overflow-wrap:anywhere}
hr{border:0;border-top:1px solid var(--line);margin:1.25rem 0}a{color:var(--blue)}
"""


def page(title: str, inner: str, wide: bool = False) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main{' class=wide' if wide else ''}>{inner}</main></body></html>"
    )


def message(title: str, text: str) -> str:
    return page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>")


def hidden(fields: dict[str, str]) -> str:
    return "".join(f'<input type="hidden" name="{escape(k)}" value="{escape(v)}">' for k, v in fields.items())
