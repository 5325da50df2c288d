"""Directions in Chinese beside the plainest English for the same: what a reader of Chinese is taught to read alike.

Wordings vary as in `captions`: bare tags, clauses and whole sentences, and now and then the English name of a feeling among them, as the
engine puts it before a part that goes on with one (`engine.carried_feelings`). Characters are simplified: others are read as if they
were (`engine.encoders.languages`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.chinese import is_chinese
from training.actor.captions import MOST_BYTES, degree_of, plain_caption, told_actions
from training.actor.directions import ClipKind, DirectedSpan, Direction

ENGLISH_FEELING_SHARE: Final = 0.08
KIND_SHARE: Final = 0.3

_DEGREES: Final = {
    "slightly ": ("有点{}", "有些{}", "有一点{}", "略微{}", "稍微{}", "稍稍{}", "微微有些{}"),
    "": ("{}", "{}", "{}", "很{}", "挺{}"),
    "very ": ("非常{}", "十分{}", "极其{}", "特别{}", "极度{}", "真的很{}", "太{}了", "{}极了"),
}
_ADJECTIVES: Final[dict[str, tuple[str, ...]]] = {
    "neutral": ("平静", "中性", "放松", "面无表情", "没有表情", "镇定", "淡然", "不动声色"),
    "happy": ("高兴", "开心", "快乐", "愉快", "喜悦", "欢喜", "欣喜", "幸福"),
    "sad": ("悲伤", "难过", "伤心", "沮丧", "忧伤", "失落", "郁闷", "悲痛", "忧郁"),
    "angry": ("生气", "愤怒", "恼火", "气愤", "恼怒", "暴躁", "愤慨"),
    "surprised": ("惊讶", "吃惊", "惊奇", "震惊", "诧异", "意外"),
    "afraid": ("害怕", "恐惧", "惊恐", "惊慌", "畏惧", "胆怯", "焦虑"),
    "disgusted": ("厌恶", "恶心", "反感", "嫌恶", "嫌弃"),
    "contemptuous": ("轻蔑", "鄙视", "不屑", "蔑视", "傲慢", "轻视", "看不起"),
}
_FELT: Final = (
    "{}",
    "{}",
    "{}",
    "显得{}",
    "看起来{}",
    "看上去{}",
    "感到{}",
    "觉得{}",
    "表情{}",
    "样子{}",
    "神情{}",
    "心情{}",
)
_SHOWN: Final = (
    "露出{}的表情",
    "一脸{}",
    "{}的样子",
    "{}的表情",
    "带着{}的神情",
    "{}地",
)  # of a feeling that is not graded
_CLAUSES: Final[dict[str, tuple[str, ...]]] = {
    "neutral": ("保持平静", "面无表情", "不露声色", "没有情绪", "表情自然"),
    "happy": ("微笑", "笑", "大笑", "笑着", "咧嘴笑", "开怀大笑", "笑得很开心", "面带微笑", "笑容满面", "哈哈大笑"),
    "sad": ("快要哭了", "愁眉苦脸", "眼含泪水", "哭丧着脸", "要哭的样子", "哭"),
    "angry": ("怒视", "怒目而视", "发火", "发怒", "气呼呼的", "大发雷霆"),
    "surprised": ("目瞪口呆", "大吃一惊", "惊呆了", "吓了一跳"),
    "afraid": ("吓坏了", "惊恐万分", "受到惊吓", "怕得发抖"),
    "disgusted": ("皱起鼻子", "觉得恶心想吐", "嫌恶地皱鼻子"),
    "contemptuous": ("冷笑", "嗤之以鼻", "露出不屑", "瞧不起人", "讥笑"),
}
_LEFT_RIGHT: Final[dict[str, tuple[str, ...]]] = {  # {} is the side
    "gaze": (
        "向{}看", "看向{}边", "往{}看", "目光移向{}侧", "看{}边", "朝{}边看", "瞥向{}边", "望向{}侧", "眼睛看{}边", "眼睛往{}看",
        "看着{}边",
    ),
    "head": (
        "向{}转头", "把头转向{}边", "头转向{}", "往{}转头", "转向{}边", "面向{}边", "头向{}转", "脸转向{}侧", "向{}转", "转头看{}边",
    ),
    "head tilt": (
        "头向{}倾", "向{}歪头", "把头歪向{}边", "头歪向{}侧", "头往{}歪", "往{}偏头", "头向{}偏", "头向{}倾斜", "向{}侧头",
    ),
}  # fmt: skip
_ACTIONS: Final[dict[str, tuple[str, ...]]] = {
    "gaze viewer": (
        "看着观众",
        "看向镜头",
        "看镜头",
        "注视镜头",
        "直视前方",
        "看着我们",
        "保持目光接触",
        "看着我",
        "看着对方",
    ),
    "gaze up": ("向上看", "抬眼", "往上看", "看上方", "仰望", "目光向上", "看着上面"),
    "gaze down": ("向下看", "低垂目光", "垂下眼睛", "往下看", "看下面", "目光向下", "看着地面"),
    "head up": ("抬头", "抬起头", "扬起下巴", "抬起下巴", "仰头", "昂首", "把头抬起来"),
    "head down": ("低头", "低下头", "垂下头", "把头低下", "下巴压低", "俯首"),
    "brows raised": ("扬起眉毛", "抬起眉毛", "挑眉", "眉毛上扬", "挑起眉毛", "扬眉"),
    "brows lowered": ("皱眉", "皱起眉头", "压低眉毛", "眉头紧锁", "紧皱眉头", "皱着眉"),
    "posture forward": ("身体前倾", "向前倾", "凑近", "靠近一些", "往前靠", "身子向前"),
    "posture back": ("身体后仰", "向后靠", "往后退", "后退一点", "身子向后", "靠后", "后仰"),
    "posture shrug": ("耸肩", "耸耸肩", "耸起肩膀", "耸了耸肩"),
    "energy calm": ("保持不动", "动作很少", "一动不动", "动作缓慢", "几乎不动", "安静不动"),
    "energy lively": ("动作活跃", "充满活力", "精力充沛", "动来动去", "生动活泼", "动作很多", "很活跃"),
}
_KINDS: Final[dict[ClipKind, tuple[str, ...]]] = {
    "speak": ("说话", "讲话", "对我们说话", "开口说话", "说着话", "正在说话", "说", "讲述"),
    "listen": ("倾听", "听着", "认真听", "专心聆听", "听别人说话", "听对方说", "聆听", "听"),
    "converse": ("交谈", "聊天", "对话", "边说边听", "和人聊天", "与人交谈"),
    "idle": ("等待", "静静地坐着", "沉默", "什么也不说", "安静地等着", "不说话", "发呆", "等着"),
}
_SUBJECTS: Final = ("", "", "", "她", "他", "角色", "这个人", "人物", "这个角色", "演员", "请", "你")
_SEPARATORS: Final = ("，", "，", "，", "，", "、", "；", ", ", " ", "并且", "同时", "并", "，一边", "，同时")
_THEN: Final = ("，然后", "，接着", "，随后", "；然后", "。然后", "，再", "，之后", "然后")


@dataclass(frozen=True, kw_only=True, slots=True)
class BilingualCaption:
    """The same direction twice."""

    chinese: str
    english: str


def bilingual_caption(rng: np.random.Generator, span: DirectedSpan, kind: ClipKind) -> BilingualCaption:
    """One Chinese wording of a span, at most `MOST_BYTES` of UTF-8, and the plain English for what it says."""
    tells_kind = bool(rng.random() < KIND_SHARE) or not _words(rng, span.moments[0])
    moments = [
        _moment(rng, moment, kind if tells_kind and index == 0 else None) for index, moment in enumerate(span.moments)
    ]
    moments = [moment for moment in moments if moment]
    text = moments[0]
    for later in moments[1:]:
        text += _pick(rng, _THEN) + later
    if rng.random() < 0.4:
        text = _pick(rng, _SUBJECTS) + text
    if rng.random() < 0.3:
        text += "。"
    if len(text.encode()) > MOST_BYTES or not is_chinese(text):
        return bilingual_caption(rng, span, kind)
    return BilingualCaption(chinese=text, english=plain_caption(span, kind, tells_kind=tells_kind))


def _moment(rng: np.random.Generator, moment: Direction, kind: ClipKind | None) -> str:
    words = _words(rng, moment)
    if kind is not None:
        words.insert(int(rng.integers(len(words) + 1)), _pick(rng, _KINDS[kind]))
    text = words[0] if words else ""
    for word in words[1:]:
        text += ("" if text.endswith("地") else _pick(rng, _SEPARATORS)) + word
    return text.removesuffix("地") if text.endswith("地") and text != "地" else text


def _words(rng: np.random.Generator, moment: Direction) -> list[str]:
    """What a moment asks for, a word or clause each, the feeling first or last."""
    words = [_action(rng, action) for action in told_actions(moment)]
    rng.shuffle(words)
    if moment.is_expression_told:
        words.insert(0 if rng.random() < 0.75 else len(words), _feeling(rng, moment))
    return words


def _feeling(rng: np.random.Generator, moment: Direction) -> str:
    degree = degree_of(moment)
    if rng.random() < ENGLISH_FEELING_SHARE:
        return degree + moment.expression
    if not degree and rng.random() < 0.25:
        return _pick(rng, _CLAUSES[moment.expression])
    word = _pick(rng, _ADJECTIVES[moment.expression])
    if not degree and rng.random() < 0.3:
        return _pick(rng, _SHOWN).format(word)
    graded = word if moment.expression == "neutral" else _pick(rng, _DEGREES[degree]).format(word)
    return _pick(rng, _FELT).format(graded)


def _action(rng: np.random.Generator, action: str) -> str:
    name, _, value = action.partition(" ")
    is_tilt, side = value.startswith("tilt_"), {"left": "左", "right": "右"}.get(value.removeprefix("tilt_"))
    if side is not None:
        return _pick(rng, _LEFT_RIGHT[f"{name} tilt" if is_tilt else name]).format(side)
    return _pick(rng, _ACTIONS[action])


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.integers(len(options)))]
