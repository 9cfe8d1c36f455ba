"""All that the hand-in says, in English and in Russian, side by side; what is between ` is code.

In {braces} stands what `hand_in` fills in. What the lab itself says is quoted in Russian as it
stands there, and translated for the English text.
"""

# ruff: noqa: RUF001 - Cyrillic letters that look like Latin ones

from typing import NamedTuple


class Text(NamedTuple):
    """One text in both languages."""

    en: str
    ru: str


class Counted(NamedTuple):
    """A noun with numbers: 1, and others; in Russian 1, 2 and 5, as 21, 22 and 25."""

    en: tuple[str, str]
    ru: tuple[str, str, str]


class Pair(NamedTuple):
    """A phrase for 1 and for more."""

    en: tuple[str, str]
    ru: tuple[str, str]


NOUNS = {
    "images": Counted(("image", "images"), ("изображение", "изображения", "изображений")),
    # Behind prepositions Russian has other cases: "из", "по".
    "of_images": Counted(("image", "images"), ("изображения", "изображений", "изображений")),
    "over_images": Counted(("image", "images"), ("изображению", "изображениям", "изображениям")),
    "classes": Counted(("class", "classes"), ("класс", "класса", "классов")),
    "parameters": Counted(("parameter", "parameters"), ("параметр", "параметра", "параметров")),
    "comparisons": Counted(
        ("comparison", "comparisons"), ("сравнение", "сравнения", "сравнений")
    ),
}  # fmt: skip

# Behind "on", in Russian "по": one, and others.
ON_IMAGES = Pair(
    ("this image", "these {n} images"), ("этому изображению", "этим {n} изображениям")
)  # fmt: skip

TEXTS = {
    # The title page
    "ministry": Text("ministry", "министерство"),
    "university": Text("university", "университет"),
    "institute": Text("institute", "институт"),
    "chair": Text("department", "кафедра"),
    "title": Text("Report on laboratory work no. 3", "Отчет по лабораторной работе № 3"),
    "discipline": Text(
        "in the discipline “Analysis of the security of artificial intelligence systems”",
        "по дисциплине «Анализ защищенности систем искусственного интеллекта»",
    ),
    "subject": Text(
        "“Visualising the region of attention of the model VGGNet (Saliency and Grad-CAM)”",
        "на тему «Визуализация области внимания модели VGGNet (Saliency и Grad-CAM)»",
    ),
    "done_by": Text("Done by:", "Выполнил:"),
    "student_of_group": Text("student of group", "студент группы"),
    "student": Text("surname, initials", "фамилия, инициалы"),
    "group": Text("group", "группа"),
    "checked_by": Text("Checked by:", "Проверил:"),
    "teacher": Text("surname, initials", "фамилия, инициалы"),
    "place_and_year": Text("city, 20__", "город, 20__ г."),
    # Around the sections
    "hint": Text(
        "Before you hand it in: fill in the title page and write your own words where there is "
        "room for them. They stay in this browser. Then print the page, or save it as PDF.",
        "Перед сдачей заполните титульный лист и допишите свой текст в отведенных местах: он "
        "сохраняется в этом браузере. Затем распечатайте страницу или сохраните ее как PDF.",
    ),
    "task": Text("Task {number}. {title}", "Задание {number}. {title}"),
    "as_given": Text("The task as given", "Формулировка задания"),
    "code": Text("Code", "Код"),
    "figure": Text("Figure {number}.", "Рисунок {number}."),
    "table": Text("Table {number}.", "Таблица {number}."),
    "observed": Text("Observations, measured", "Наблюдения по измерениям"),
    "own_words": Text("In your own words", "Своими словами"),
    "your_words": Text("(your own words)", "(ваш текст)"),
    # What was given
    "given_title": Text("What was given", "Исходные данные"),
    "given_network": Text(
        "Network: {name}, loaded as `{network}`. Class activation maps are taken at `{layer}`.",
        "Сеть: {name}, загружена как `{network}`. Карты активации класса берутся со слоя "
        "`{layer}`.",
    ),
    "given_one": Text(
        "Given: {images}; class explained: `{label}`, index {index}.",
        "Дано: {images}; объясняемый класс — `{label}`, его индекс — {index}.",
    ),
    "given_several": Text(
        "Given: {images} of {classes}; each is explained for its own class (table 1).",
        "Дано: {images} ({classes}); каждое объясняется для своего класса (таблица 1).",
    ),
    "differs": Text(
        "The lab takes four images of one class; this report differs from it in that.",
        "В лабораторной работе берутся четыре изображения одного класса; здесь это не так.",
    ),
    "demo_note": Text(
        "The images are the demo's: drawn scenes, not photographs of ImageNet. These geese were "
        "chosen by eye, for maps that show well.",
        "Изображения — из демонстрации: это нарисованные сцены, а не фотографии из ImageNet. "
        "Эти гуси отобраны на глаз, по наглядности карт.",
    ),
    "demo_network": Text(
        "The demo's network is a small VGG16 of 12 classes, trained on such scenes; its maps need "
        "not be those of the VGG16 trained on ImageNet.",
        "Демонстрационная сеть — уменьшенная VGG16 на 12 классов, обученная на таких сценах; ее "
        "карты не обязаны совпадать с картами VGG16, обученной на ImageNet.",
    ),
    "another_network": Text(
        "The lab explains the VGG16 trained on ImageNet; this is another network.",
        "В лабораторной работе объясняется VGG16, обученная на ImageNet; здесь другая сеть.",
    ),
    "over": Text(", means over {images}", ", среднее по {images}"),
    # Part 1
    "part_1": Text(
        "Part 1. Saliency: the key regions of an image",
        "Часть 1. Использование Saliency для определения ключевых областей изображения",
    ),
    "title_1": Text("The images", "Изображения"),
    "task_1": Text(
        "Load 4 different images from the ImageNet data set and show them in one figure.",
        "Загрузить 4 различных изображения из датасета ImageNet и отобразить их на одном графике.",
    ),
    "about_1": Text(
        "The network reads images of {height} × {width} pixels. What Keras calls "
        "`preprocess_input` is `network.preprocess` here.",
        "Сеть принимает изображения размером {height} × {width} (в пикселях). То, что в Keras "
        "называется `preprocess_input`, здесь — `network.preprocess`.",
    ),
    "caption_1": Text(
        "The images at the size that the network reads; above each its file, the class explained "
        "and its probability.",
        "Изображения в том размере, в котором их принимает сеть; над каждым — имя файла, "
        "объясняемый класс и его вероятность.",
    ),
    "alt_1": Text("Input images: {names}", "Исходные изображения: {names}"),
    "predicted": Text("The classes explained.", "Объясняемые классы."),
    "head_image": Text("image", "изображение"),
    "head_class": Text("class explained", "объясняемый класс"),
    "head_index": Text("index", "индекс"),
    "head_probability": Text("probability", "вероятность"),
    "head_best": Text("most probable class", "самый вероятный класс"),
    "observed_1": Text(
        "The network puts the class explained first for {count} of {images}; its probability lies "
        "between {low} and {high}.",
        "Объясняемый класс стоит у сети на первом месте для {count} из {images}; его вероятность "
        "— от {low} до {high}.",
    ),
    "observed_1_one": Text(
        "The network gives the class explained the probability {low}; the most probable class is "
        "`{best}`.",
        "Объясняемому классу сеть дает вероятность {low}; самый вероятный класс — `{best}`.",
    ),
    "title_2": Text("Saliency maps and the class index", "Карты значимости и индекс класса"),
    "task_2": Text(
        "Show the saliency maps; find and set the right parameter `filter_indices`.",
        "Отобразить карты значимости признаков, найти и задать верный параметр `filter_indices`.",
    ),
    "filter_one": Text(
        "`filter_indices` is the number of the output that is explained: the class index. "
        "`network.class_index({name})` finds it by the class's name; in this network it is "
        "{index}. In ImageNet's list of 1000 classes a goose is 99.",
        "`filter_indices` — номер объясняемого выхода сети, то есть индекс класса. "
        "`network.class_index({name})` находит его по имени класса; в этой сети он равен {index}. "
        "В списке из 1000 классов ImageNet у гуся (goose) индекс 99.",
    ),
    "filter_several": Text(
        "`filter_indices` is the number of the output that is explained: the class index, here "
        "one for each image (table 1). `network.class_index` finds it by a class's name; in "
        'ImageNet\'s list of 1000 classes `network.class_index("goose")` is 99.',
        "`filter_indices` — номер объясняемого выхода сети, то есть индекс класса; здесь он у "
        "каждого изображения свой (таблица 1). `network.class_index` находит его по имени класса; "
        'в списке из 1000 классов ImageNet `network.class_index("goose")` равен 99.',
    ),
    "logits": Text(
        "The lab replaces the last activation by a linear one (`ReplaceToLinear`), since a softmax "
        "couples the classes: a probability also rises where another class loses. Here there is "
        "nothing to replace: the network returns logits, the values before that activation, and "
        "the logit of the class is what is differentiated.",
        "В лабораторной работе последняя функция активации заменяется линейной "
        "(`ReplaceToLinear`), так как softmax связывает классы: вероятность растет и тогда, когда "
        "проигрывает другой класс. Здесь заменять нечего: сеть возвращает логиты — значения до "
        "этой активации, и дифференцируется логит класса.",
    ),
    "about_2": Text(
        "A saliency map is the gradient of that logit with respect to the pixels: at each pixel "
        "the largest absolute value over the colour channels.",
        "Карта значимости — это градиент логита по пикселям: в каждом пикселе берется наибольшее "
        "абсолютное значение по цветовым каналам.",
    ),
    "caption_saliency": Text(
        "Saliency maps, {rule}, in the colours `{colours}`. Each map has its own scale, up to its "
        "99.5th percentile.",
        "Карты значимости ({rule}), цветовая схема `{colours}`. Шкала у каждой карты своя, до ее "
        "99,5-го процентиля.",
    ),
    "alt_map": Text("{title}, {rule}, of {names}", "Карты {title}, {rule}: {names}"),
    "observed_2": Text(
        "Of the pixels {zero} are exactly 0, and {dark} are dark, below a twentieth of the map's "
        "largest value; the strongest 1 % of them hold {strongest} of the map's sum{over}.",
        "Из всех пикселей {zero} в точности равны нулю, {dark} — темные (меньше одной двадцатой "
        "наибольшего значения карты); на 1 % самых сильных пикселей приходится {strongest} суммы "
        "карты{over}.",
    ),
    "observed_2_inside": Text(
        "On the object, which takes {area} of the image, lie {inside} of the sum.",
        "На объект, занимающий {area} изображения, приходится {inside} суммы.",
    ),
    "no_masks": Text(
        "Where the objects are is not known to this report, so that what lies on them could not be "
        "measured: `--boxes FILE` tells it.",
        "Где находятся объекты, этому отчету неизвестно, поэтому измерить, какая доля карты на них "
        "приходится, нельзя; расположение объектов задается параметром `--boxes FILE`.",
    ),
    "title_3": Text("Guided and rectified saliency", "Управляемая значимость (guided) и rectified"),
    "task_3": Text(
        "Assess the result of the step before, and the maps by guided saliency "
        "(`backprop_modifier='guided'`) and by the deconvnet rule (`backprop_modifier='relu'`).",
        "Оценить полученный результат на прошлом этапе и отображение признаков с помощью "
        "управляемой значимости (`backprop_modifier='guided'`) и устранения деконверсии "
        "(`backprop_modifier='relu'`).",
    ),
    "about_3": Text(
        "A rule says where a ReLU passes the gradient g on the way back; x is what the ReLU read. "
        "(A ReLU6, as in EfficientNet-Lite, stops it from 6 on too, whatever the rule.)",
        "Правило определяет, где ReLU пропускает градиент g при обратном проходе; x — значение на "
        "входе ReLU. (ReLU6, как в EfficientNet-Lite, при любом правиле не пропускает его и там, "
        "где x не меньше 6.)",
    ),
    "rules_caption": Text("The names in keras-vis and here.", "Названия в keras-vis и здесь."),
    "head_modifier": Text("keras-vis", "keras-vis"),
    "head_here": Text("here", "здесь"),
    "head_passes": Text("g passes where", "g проходит, где"),
    "head_known": Text("known as", "известно как"),
    "known_vanilla": Text("backpropagation", "обратное распространение"),
    "known_guided": Text("guided backpropagation", "управляемое обратное распространение"),
    "known_rectified": Text("deconvnet, rectified", "deconvnet, rectified"),
    "passes_vanilla": Text("x > 0", "x > 0"),
    "passes_guided": Text("x > 0 and g > 0", "x > 0 и g > 0"),
    "passes_rectified": Text("g > 0", "g > 0"),
    "measured_caption": Text("What was measured{over}.", "Результаты измерений{over}."),
    "head_rule": Text("rule", "правило"),
    "head_zero": Text("exactly 0", "ровно 0"),
    "head_dark": Text("dark", "темных"),
    "head_strongest": Text("in the strongest 1 %", "в 1 % самых сильных"),
    "head_inside": Text("on the object", "на объекте"),
    "head_rank": Text("rank correlation with vanilla", "ранговая корреляция с vanilla"),
    "head_change": Text("largest difference from vanilla", "наибольшее отличие от vanilla"),
    "noise": Text(
        "The lab's text says that guided removes the noise, and that rectified only increases it. "
        "If noise is what lies outside the object, its share of the map is {vanilla} under "
        "vanilla, {guided} under guided and {rectified} under rectified.",
        "В тексте лабораторной работы сказано, что guided убирает шум, а rectified «только его "
        "увеличивает». Если считать шумом то, что лежит вне объекта, его доля в карте: vanilla — "
        "{vanilla}, guided — {guided}, rectified — {rectified}.",
    ),
    "noise_unknown": Text(
        "The lab's text says that guided removes the noise, and that rectified only increases it. "
        "Without the objects' places noise cannot be told from what is meant; what can be counted "
        "is dark pixels.",
        "В тексте лабораторной работы сказано, что guided убирает шум, а rectified «только его "
        "увеличивает». Пока расположение объектов неизвестно, отличить шум от полезного сигнала "
        "нельзя; можно лишь посчитать темные пиксели.",
    ),
    "guided_less": Text(
        "By this measure guided has less noise than vanilla, as the lab says.",
        "По этой мере у guided шума меньше, чем у vanilla, — как и сказано в работе.",
    ),
    "guided_not_less": Text(
        "By this measure guided does not have less noise than vanilla.",
        "По этой мере у guided шума не меньше, чем у vanilla, — вопреки сказанному в работе.",
    ),
    "rectified_more": Text(
        "Rectified has more of it than vanilla, as the lab says.",
        "У rectified его больше, чем у vanilla, — как и сказано в работе.",
    ),
    "rectified_not_more": Text(
        "Rectified does not have more of it than vanilla.",
        "У rectified его не больше, чем у vanilla, — вопреки сказанному в работе.",
    ),
    "dark_counted": Text(
        "Dark are {vanilla} of the pixels under vanilla, {guided} under guided and {rectified} "
        "under rectified.",
        "Доля темных пикселей: vanilla — {vanilla}, guided — {guided}, rectified — {rectified}.",
    ),
    "rectified_darker": Text(
        "By this measure rectified has fewer pixels that show than vanilla, not more: that speaks "
        "against the lab's text.",
        "По этой мере заметных пикселей у rectified меньше, чем у vanilla, а не больше: это "
        "говорит против текста работы.",
    ),
    "rectified_not_darker": Text(
        "By this measure rectified has no fewer pixels that show than vanilla: that agrees with "
        "the lab's text.",
        "По этой мере заметных пикселей у rectified не меньше, чем у vanilla: это согласуется с "
        "текстом работы.",
    ),
    "guided_means": Text(
        "The lab's text says of guided that gradients are kept only where inputs are positive. "
        "That is the vanilla rule; guided also wants the gradient itself to be positive.",
        "Фраза из текста работы о guided, «градиенты сохраняются только для положительных значений "
        "входов», описывает правило vanilla; guided требует, чтобы и сам градиент был "
        "положительным.",
    ),
    "rectified_means": Text(
        "Of rectified it says that zero activations are replaced by small positive values; its "
        "code, `dy * (dy > 0)`, replaces no activation, but drops negative gradients.",
        "О rectified в тексте работы сказано, что нулевые активации заменяются малыми "
        "положительными значениями; однако ее код, `dy * (dy > 0)`, активации не меняет, а "
        "отбрасывает отрицательные градиенты.",
    ),
    # Part 2
    "part_2": Text(
        "Part 2. Grad-CAM: the key regions of an image",
        "Часть 2. Использование GradCAM для определения ключевых областей изображения",
    ),
    "title_4": Text("The model's summary", "Краткое описание модели"),
    "task_4": Text("Get a short description of the model.", "Получить краткое описание модели."),
    "fold_full": Text("Summary of the full VGG16", "Описание полной сети VGG16"),
    "fold_used": Text("Summary of the network used here", "Описание использованной сети"),
    "observed_4": Text(
        "The full VGG16 has {total}; {most} of them, {share}, are in `fc1`.",
        "В полной сети VGG16 {total}; из них {most}, то есть {share}, — в слое `fc1`.",
    ),
    "observed_4_used": Text("The network used here has {total}.", "В использованной сети {total}."),
    "title_5": Text(
        "Class activation maps under three rules", "Карты активации класса по трем правилам"
    ),
    "task_5": Text(
        "Make class activation maps of the chosen images by the methods vanilla, guided and "
        "rectified.",
        "Выполнить построение карт значимости классов для выбранных изображений методами vanilla, "
        "guided, rectified.",
    ),
    "about_5": Text(
        "Grad-CAM sums the channels of `{layer}`, each weighted by the mean of the logit's "
        "gradient there, and keeps what is above 0. A rule acts only in the ReLUs above that "
        "layer.",
        "Grad-CAM складывает каналы слоя `{layer}` с весами, равными среднему градиенту логита по "
        "каналу, и оставляет значения больше 0. Правило действует только в тех ReLU, что стоят "
        "после этого слоя.",
    ),
    "caption_grad_cam": Text(
        "Grad-CAM, {rule}, laid over the images: colours `{colours}`, alpha {alpha}. Each map has "
        "its own scale.",
        "Grad-CAM ({rule}) поверх изображений: цветовая схема `{colours}`, alpha {alpha}. Шкала у "
        "каждой карты своя.",
    ),
    "all_alike": Text(
        "All three rules give the same maps, value for value: there is no ReLU above this layer, "
        "where alone a rule could change them.",
        "Все три правила дают одинаковые карты, значение в значение: после этого слоя нет ReLU, а "
        "только там правило могло бы что-то изменить.",
    ),
    "differ": Text(
        "The rules do change the maps: rank correlation with vanilla is {guided} for guided and "
        "{rectified} for rectified. Each map scaled to its largest value, the largest difference "
        "from vanilla is {guided_change} and {rectified_change}.",
        "Правила меняют карты: ранговая корреляция с vanilla у guided — {guided}, у rectified — "
        "{rectified}. Если привести каждую карту к ее наибольшему значению, наибольшее отличие от "
        "vanilla — {guided_change} и {rectified_change}.",
    ),
    "empty": Text(
        "The {rule} map is zero everywhere for {count} of {images}.",
        "Карта {rule} всюду равна нулю для {count} из {images}.",
    ),
    "empty_one": Text("The {rule} map is zero everywhere.", "Карта {rule} всюду равна нулю."),
    "warning_guided": Text(
        "The lab's text passes on a warning of its library's author: guided backpropagation does "
        "not work well as an explanation (Adebayo et al., “Sanity Checks for Saliency Maps”, "
        "2018). Edges that stand out are not yet what the network decides by.",
        "В тексте работы приведено предупреждение автора библиотеки: guided backpropagation плохо "
        "подходит для объяснений (Adebayo et al., «Sanity Checks for Saliency Maps», 2018). "
        "Четкие контуры еще не означают, что именно они важны для решения сети.",
    ),
    "title_6": Text("Conclusion: accuracy and completeness", "Вывод: точность и полнота"),
    "task_6": Text(
        "Draw conclusions on the most accurate and complete method of describing the activations "
        "of the network's layers.",
        "Сделать выводы о наиболее точном и полном методе описания активаций слоев нейронной сети.",
    ),
    "accuracy": Text(
        "Accuracy is how much of what is marked lies on the object: its share of the map's sum.",
        "Точность — какая часть отмеченного лежит на объекте: доля суммы карты, приходящаяся на "
        "него.",
    ),
    "completeness": Text(
        "Completeness is how much of the object is marked: as many of the map's strongest pixels "
        "are taken as the object has, and the share of the object that they cover is counted.",
        "Полнота — какая часть объекта отмечена: берется столько самых сильных пикселей карты, "
        "сколько их у объекта, и считается, какую долю объекта они покрывают.",
    ),
    "both": Text(
        "Both together: the area under precision and recall, the pixels ranked by the map. Of a "
        "map without any information accuracy, completeness and this area would be about {area}, "
        "the object's share of the image.",
        "Обе вместе — площадь под кривой precision–recall, если упорядочить пиксели по значениям "
        "карты. У карты без всякой информации точность, полнота и эта площадь были бы около {area} "
        "— это доля объекта в изображении.",
    ),
    "boxes_note": Text(
        "The objects' places are boxes here: what a box holds besides its object counts as object.",
        "Объекты здесь заданы рамками: все, что попало в рамку помимо объекта, тоже засчитано как "
        "объект.",
    ),
    "six_caption": Text(
        "The six maps{over}; each figure is from 0 to 1, and 1 is best.",
        "Шесть карт{over}; значения от 0 до 1, лучшее — 1.",
    ),
    "head_map": Text("map", "карта"),
    "head_accuracy": Text("accuracy", "точность"),
    "head_completeness": Text("completeness", "полнота"),
    "head_both": Text("both", "обе вместе"),
    "best": Text(
        "Highest in accuracy: {accuracy}; in completeness: {completeness}; in both together: "
        "{both}.",
        "Наибольшая точность: {accuracy}; наибольшая полнота: {completeness}; наибольшее "
        "значение по обеим вместе: {both}.",
    ),
    "lab_says": Text(
        "The lab concludes that guided backpropagation is the most accurate and complete method. "
        "Guided is ahead of both other rules by {saliency} of these 3 measures among the saliency "
        "maps, and by {grad_cam} of 3 among the Grad-CAM maps. {verdict}",
        "В лабораторной работе сделан вывод, что самый точный и полный метод — guided "
        "backpropagation. Число показателей (из 3), по которым guided опережает оба других "
        "правила: среди карт Saliency — {saliency}, среди карт Grad-CAM — {grad_cam}. {verdict}",
    ),
    "borne_out": Text(
        "The figures agree with the lab's conclusion.",
        "Эти числа согласуются с выводом лабораторной работы.",
    ),
    "borne_out_in_part": Text(
        "The figures agree with the lab's conclusion in part only.",
        "Эти числа согласуются с выводом лабораторной работы лишь отчасти.",
    ),
    "not_borne_out": Text(
        "The figures do not agree with the lab's conclusion.",
        "Эти числа не согласуются с выводом лабораторной работы.",
    ),
    "nothing_settled": Text(
        "On {images} nothing is settled: with {comparisons}, corrected together, an exact test "
        "wants at least {fewest}. The figures describe what was given here, and say nothing yet of "
        "other images.",
        "По {images} ничего установить нельзя: точному критерию с поправкой на {comparisons} нужно "
        "не меньше {fewest}. Числа описывают только то, что дано здесь, и о других изображениях "
        "пока ничего не говорят.",
    ),
    "settled_caption": Text(
        "What the evaluation settles: an exact test, {comparisons} corrected together at 1 %; "
        "`report.md` has the rule.",
        "Что установлено проверкой карт: точный критерий, с поправкой на {comparisons}, уровень "
        "1 %; правило приведено в `report.md`.",
    ),
    "head_where": Text("points at the object", "указывает на объект"),
    "head_matters": Text("what it marks matters to the network", "отмеченное важно для сети"),
    "head_network": Text("depends on the weights", "зависит от весов"),
    "head_last": Text("depends on the last layer", "зависит от последнего слоя"),
    "mark_1": Text("yes", "да"),
    "mark_0": Text("not settled", "не установлено"),
    "mark_-1": Text("no", "нет"),
    "not_compared": Text(
        "The evaluation does not compare the maps with each other, but each with controls (a "
        "random map, the image centre, an edge detector) or with a fixed line: which of the maps "
        "is ahead is described here, and not tested.",
        "Проверка сравнивает карты не между собой, а каждую с контрольными (случайная карта, "
        "центр изображения, детектор контуров) или с заданным порогом: какая из карт впереди, "
        "здесь описано, но не проверено.",
    ),
    "not_evaluated": Text(
        "The evaluation was left out, so that nothing is said on whether this holds for other "
        "images.",
        "Проверка карт (evaluation) была отключена, поэтому о том, верно ли это для других "
        "изображений, ничего не сказано.",
    ),
    "unmeasurable": Text(
        "Accuracy and completeness cannot be measured here: where the objects are is not known. "
        "With boxes (`--boxes FILE`) this report has both.",
        "Измерить точность и полноту здесь нельзя: неизвестно, где находятся объекты. Если задать "
        "рамки (`--boxes FILE`), в отчете будет и то и другое.",
    ),
    "deleted_caption": Text(
        "Probability of the class when the fifth of the pixels that a map marks most is "
        "removed{over}; lower means that what is marked matters more.",
        "Вероятность класса после удаления пятой части пикселей, отмеченных картой сильнее "
        "всего{over}; чем она ниже, тем важнее отмеченное.",
    ),
    "head_deleted": Text("probability left", "оставшаяся вероятность"),
    "deleted_best": Text(
        "Lowest among the six maps: {name}; a random map leaves {random}. That says what matters "
        "to the network, and neither how accurately nor how completely an object is marked: it "
        "cannot bear the lab's conclusion out.",
        "Ниже всего среди шести карт: {name}; случайная карта оставляет {random}. Это говорит о "
        "том, что важно для сети, а не о том, насколько точно и полно отмечен объект: подтвердить "
        "вывод лабораторной работы это не может.",
    ),
    "random_map": Text("random map", "случайная карта"),
    # The last page
    "made_title": Text("How it was made", "Как получен этот отчет"),
    "made_images": Text(
        "Images resized by `{resample}`; preprocessing: `{reads}`.",
        "Изменение размера изображений: `{resample}`; предобработка: `{reads}`.",
    ),
    "made_device": Text("Device: `{device}`.", "Устройство: `{device}`."),
    "made_versions": Text("Versions: {versions}.", "Версии: {versions}."),
    "made_values": Text(
        "Raw values of all maps: `maps.npz`; all that was measured: `report.md`.",
        "Исходные значения всех карт: `maps.npz`; все результаты измерений: `report.md` (на "
        "английском).",
    ),
    "made_figures": Text(
        "The code runs in the folder of this report.",
        "Код выполняется в папке этого отчета. Подписи внутри рисунков — на английском.",
    ),
    # Comments in the code
    "comment_index": Text("99 in ImageNet", "в ImageNet: 99"),
    "comment_titles": Text("file, class, its probability", "файл, класс и его вероятность"),
    "comment_each": Text("one for each image", "свой для каждого изображения"),
    "comment_full": Text("the full VGG16, no weights read", "полная VGG16, без чтения весов"),
    "comment_used": Text("the network used here", "использованная сеть"),
    "comment_yours": Text(
        "a function of yours: define it first", "ваша функция: сначала определите ее"
    ),
}
