import time
import tracemalloc

import pytest

from ondevice.errors import BaseModelError, InvalidModelError, UnsafeTemplateError
from ondevice.models.base_model import BaseModel
from ondevice.models.chat_template import CHATML, ChatTemplate
from ondevice.models.messages import Message

USER = [Message("user", "Hi")]


def render(source: str, messages: list[Message] = USER) -> str:
    return ChatTemplate(source, "<s>", "</s>").render(messages, add_generation_prompt=True)


def test_default_model_renders_its_known_text(default_model: BaseModel) -> None:
    template = ChatTemplate.from_header(default_model.header)
    conversation = [
        Message("user", "Hi"),
        Message("assistant", "Hello!"),
        Message("user", " {{ 1 + 1 }}\n<b>"),
    ]
    assert template.render(conversation, add_generation_prompt=True) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
        "<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
        "<|im_start|>user\n {{ 1 + 1 }}\n<b><|im_end|>\n<|im_start|>assistant\n"
    )
    own = [Message("system", "Be brief."), *USER]
    assert template.render(own, add_generation_prompt=False) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    )


def test_a_model_without_template_gets_chatml() -> None:
    assert render(CHATML) == "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"


def test_what_honest_templates_do_works() -> None:
    source = """{{- bos_token }}
{%- set ns = namespace(system='', n=0) %}
{%- macro head(role) %}[{{ role | upper }}]{% endmacro %}
{%- for message in messages %}
    {%- if message.role == 'system' %}{% set ns.system = message['content'] | trim %}
    {%- elif loop.last %}{{ head(message.role) ~ message.content.strip() + eos_token }}
    {%- else %}{{ head(message.role) }}{{ message.content.split('</think>')[-1].lstrip('\n') }}
    {%- endif %}{% set ns.n = ns.n + 1 %}
{%- endfor %}
{%- if ns.n > 3 and messages[::-1][0].role == 'user' %} {{ ns.n }}{{ ns.system | tojson }}
{%- endif %}{{ ['a', 'b'] | join('-') }}{% if tools is defined %}x{% endif %}"""
    messages = [
        Message("system", " S "),
        Message("user", "one"),
        Message("assistant", "t</think>\ntwo"),
        Message("user", " three "),
    ]
    assert render(source, messages) == '<s>[USER]one[ASSISTANT]two[USER]three</s> 4"S"a-b'


UNSAFE = {
    "class": "{{ ''.__class__ }}",
    "subclasses": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "item": "{{ ''['__class__'] }}",
    "map attribute": "{{ messages | map(attribute='__class__') | list }}",
    "attr filter": "{{ 'a' | attr('__class__') }}",
    "globals": "{{ namespace.__init__.__globals__ }}",
    "self": "{{ self.__init__ }}",
    "gigabyte": "{{ 'A'*10**9 }}",
    "gigabyte list": "{{ ([1] * 10**9) | length }}",
    "nested lists": "{{ [[1]*20000]*20000 }}",
    "power": "{{ 2**10**9 }}",
    "long number": "{{ (9**60)*(9**60) }}",
    "format": "{{ '{:>1000000000}'.format(1) }}",
    "percent": "{{ '%1000000000d' % 1 }}",
    "ljust": "{{ 'a'.ljust(10**9) }}",
    "center": "{{ 'a' | center(10**9) }}",
    "lipsum": "{{ lipsum(n=10**9) }}",
    "doubling": "{% set s='a'*1000 %}" + "{% set s = s ~ s %}" * 40 + "{{ s }}",
    "doubling plus": "{% set s='a'*1000 %}" + "{% set s = s + s %}" * 40 + "{{ s }}",
    "shared lists": "{% set l=[1] %}" + "{% set l=[l,l] %}" * 60 + "{{ l }}",
    "growing list": "{% set n=namespace(l=[0]) %}{% for i in range(9999) %}"
    "{% set n.l=n.l+n.l %}{% endfor %}",
    "loops": "{% for a in range(9999) %}" * 4 + "x" + "{% endfor %}" * 4,
    "range": "{{ range(10**9) | list }}",
    "captured": "{% set x %}{% for i in range(20000) %}{{ 'A'*100000 }}{% endfor %}{% endset %}",
    "join": "{{ range(9999) | join('A'*9999) }}",
    "replace": "{{ ('A'*9999).replace('A', 'B'*9999) }}",
    "replace filter": "{{ ('A'*9999) | replace('A', 'B'*9999) }}",
    "macros": "{% macro a() %}" + "x" * 1000 + "{% endmacro %}{% macro b() %}" + "{{ a() }}" * 99
    + "{% endmacro %}{% macro c() %}" + "{{ b() }}" * 99 + "{% endmacro %}{{ c() }}",
    "recursion": "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "strftime": "{{ strftime_now('%1000000000d') }}",
    "hidden names": "{{ _bounded_loop.__self__ }}",
    "long source": "x" * 300_000,
}  # fmt: skip


@pytest.mark.parametrize("source", UNSAFE.values(), ids=UNSAFE.keys())
def test_unsafe_templates_are_refused_fast(source: str) -> None:
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises((UnsafeTemplateError, InvalidModelError)):
        render(source)
    seconds = time.perf_counter() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert seconds < 2
    assert peak < 100e6


@pytest.mark.parametrize("name", ["class", "gigabyte", "loops", "power", "format", "center"])
def test_they_are_called_unsafe(name: str) -> None:
    with pytest.raises(UnsafeTemplateError):
        render(UNSAFE[name])


def test_a_template_that_refuses_roles_says_so() -> None:
    with pytest.raises(BaseModelError, match="order of roles"):
        render("{{ raise_exception('roles must alternate') }}")


def test_broken_templates_are_invalid() -> None:
    with pytest.raises(InvalidModelError, match="not valid Jinja"):
        render("{% for %}")


def test_long_conversations_stay_within_the_bounds(default_model: BaseModel) -> None:
    template = ChatTemplate.from_header(default_model.header)
    long = [Message("user", "x" * 5000), Message("assistant", "y" * 5000)] * 500
    began = time.perf_counter()
    text = template.render(long, add_generation_prompt=True)
    assert len(text) > 5_000_000
    assert time.perf_counter() - began < 2
