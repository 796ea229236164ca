"""Names, towns and words that the seed mixes into accounts and people. Data only."""

FIRST = """Ada Adaeze Agnieszka Ahmed Aiko Alejandro Alice Amara Amelia Ana Anders André Anika Anja Antoine Arjun Astrid
Aurélie Ayşe Beatriz Benedikt Birgit Björn Bruno Camille Carlos Carmen Cecilia Chiara Chidi Chloé Christian Clara Claudia
Daan Daniela David Diego Dirk Dmitry Eduardo Eleanor Elif Elena Emeka Emil Emma Erik Esra Eva Fabian Fatou Felix Fernanda
Filip Finn Francesca Frida Gabriel Georg Giulia Grace Guillaume Gustavo Hamza Hana Hans Haruka Hassan Heidi Helena Henrik
Hiroshi Hugo Ibrahim Ilse Imani Ingrid Isabel Ivan Jakub James Jan Javier Jean Jelena Jens Jia Joana Johan Jonas Jorge
Josefine Julia Jun Kai Karin Karl Katarzyna Katja Kavya Keiko Kirsten Klaus Kofi Kwame Lars Laura Layla Lena Leo Leticia
Lin Linnea Lotte Lucas Lucía Luis Luka Magdalena Maja Malik Manuel Margarida Maria Marie Mario Marta Martin Mateo Mathilde
Matteo Maya Meera Mehmet Mia Miguel Mikael Milan Mina Mira Mohamed Mónica Nadia Naomi Nia Nicolas Niko Nils Nina Noah Noor
Nora Nuno Ola Olga Olivia Omar Oscar Pablo Paola Patrick Paula Pavel Pedro Petra Philippe Pia Pierre Piotr Rafael Raj Rania
Raúl Renata Ricardo Rosa Ruth Sakura Samir Sandra Sara Sean Selma Sergei Shira Sigrid Silvia Simon Siobhán Sophie Stefan
Sunita Susanne Sven Tariq Teresa Theo Thomas Tim Tobias Tomás Uma Ursula Valentina Vera Victor Viktoria Vincent Vivian
Wei Wendy Wiktor Xiao Yael Yara Yasmin Yuki Yusuf Zahra Zainab Zeynep Žofia""".split()

LAST = """Abbott Abe Achebe Adler Aguilar Ahmed Akhtar Albrecht Almeida Andersson Arslan Baker Balogun Banerjee Barros
Bauer Becker Benítez Berg Bergström Bianchi Blanc Böhm Bonnet Brandt Brown Bruun Çelik Carvalho Castillo Chavez Chen
Christensen Clarke Colombo Costa Cruz Dahl Das Demir Díaz Dubois Duarte Dvořák Eriksen Esposito Fernández Fischer Fontaine
Fournier Fraser Friedrich Fuchs Fujita García Gauthier Gomes González Graf Gupta Gustafsson Haas Hansen Hartmann Hashimoto
Hassan Hernández Herrmann Hoffmann Holm Horvat Huang Ibrahim Iversen Ivanova Jansen Janssen Jensen Jiménez Johansson Jones
Jung Kamara Kang Kapoor Karlsson Kaur Keller Khan Kim Kobayashi Kovács Kowalski Krüger Kumar Lambert Larsen Lau Leclerc
Lee Lehmann Lewis Li Lindqvist Liu Lopes López Lund MacLeod Maier Marchetti Marín Martin Martins Mazur Mehta Mendes Meyer
Mishra Molina Moreau Moreno Mori Moser Mutua Nair Nakamura Navarro Ndiaye Neumann Nguyen Nielsen Nilsson Nowak Núñez Nyberg
O'Brien O'Neill Oduya Ofori Okoye Olsen Oliveira Ortiz Owusu Özdemir Pacheco Park Patel Pereira Pérez Petrov Petit
Pham Popescu Quinn Rahimi Ramírez Rao Reyes Ricci Richter Rivera Robinson Romano Roth Rousseau Ruiz Russo Saito Salazar
Sánchez Santos Sato Schäfer Schmidt Schneider Schulz Schwarz Seidel Sharma Silva Singh Smith Sørensen Sousa Steiner Stewart
Suárez Sutherland Suzuki Svensson Takahashi Tan Tanaka Taylor Thompson Tran Türk Vargas Vasquez Vega Vieira Vogel Wagner
Walker Wang Weber Weiss White Williams Winkler Wójcik Wolf Wong Wu Yamamoto Yang Yıldız Young Zhang Zhou Zieliński Zimmermann""".split()

COMPANY = """Alder Amber Anchor Apex Arbour Aspen Atlas Aurora Bayside Beacon Birch Blue Boreal Bright Cascade Cedar Cirrus
Clover Cobalt Compass Coral Crest Crown Delta Dune Eagle Ember Evergreen Falcon Fern Forge Frontier Gable Glacier Golden
Granite Harbour Haven Heron Highland Horizon Indigo Iron Ivy Jade Juniper Kestrel Keystone Laurel Lighthouse Linden Lunar
Maple Marble Meridian Mistral Monsoon Nimbus North Oak Olive Onyx Opal Orchard Orion Osprey Pacific Pearl Pine Pioneer
Polar Prairie Quartz Raven Redwood River Rowan Sable Saffron Sapphire Sierra Silver Solstice Sparrow Spruce Sterling Stone
Summit Swift Sycamore Tamarind Teal Thistle Timber Topaz Tundra Umber Valley Velvet Verdant Vista Walnut Willow Zenith
Zephyr""".split()

TRADE = [
    ("Logistics", "Transportation"), ("Foods", "Food & Beverage"), ("Energy", "Energy"), ("Capital", "Finance"),
    ("Insurance", "Insurance"), ("Textiles", "Apparel"), ("Biotech", "Biotechnology"), ("Systems", "Technology"),
    ("Software", "Technology"), ("Pharma", "Healthcare"), ("Clinics", "Healthcare"), ("Motors", "Manufacturing"),
    ("Machining", "Machinery"), ("Builders", "Construction"), ("Media", "Media"), ("Telecom", "Telecommunications"),
    ("Hotels", "Hospitality"), ("Airways", "Transportation"), ("Retail", "Retail"), ("Academy", "Education"),
    ("Shipping", "Shipping"), ("Water", "Utilities"), ("Chemicals", "Chemicals"), ("Farms", "Agriculture"),
]  # fmt: skip
LEGAL = ["Ltd", "GmbH", "S.A.", "Inc.", "B.V.", "AB", "S.r.l.", "KK", "Pty Ltd", "Oy", ""]

PLACES = [
    ("London", "United Kingdom", "+44 20 7946 0"), ("Manchester", "United Kingdom", "+44 161 496 0"),
    ("Dublin", "Ireland", "+353 1 496 0"), ("Berlin", "Germany", "+49 30 5550 "), ("Hamburg", "Germany", "+49 40 5550 "),
    ("Paris", "France", "+33 1 55 50 0"), ("Lyon", "France", "+33 4 55 50 0"), ("Madrid", "Spain", "+34 91 555 0"),
    ("Lisboa", "Portugal", "+351 21 555 0"), ("Milano", "Italy", "+39 02 555 0"), ("Wien", "Austria", "+43 1 555 0"),
    ("Zürich", "Switzerland", "+41 44 555 0"), ("Amsterdam", "Netherlands", "+31 20 555 0"),
    ("Stockholm", "Sweden", "+46 8 555 0"), ("Oslo", "Norway", "+47 22 55 0"), ("København", "Denmark", "+45 33 55 0"),
    ("Helsinki", "Finland", "+358 9 555 0"), ("Warszawa", "Poland", "+48 22 555 0"), ("Praha", "Czechia", "+420 2 555 0"),
    ("İstanbul", "Türkiye", "+90 212 555 0"), ("Lagos", "Nigeria", "+234 1 555 0"), ("Nairobi", "Kenya", "+254 20 555 0"),
    ("Cape Town", "South Africa", "+27 21 555 0"), ("Dubai", "United Arab Emirates", "+971 4 555 0"),
    ("Mumbai", "India", "+91 22 5550 0"), ("Singapore", "Singapore", "+65 5555 0"), ("Tokyo", "Japan", "+81 3 5550 0"),
    ("Sydney", "Australia", "+61 2 5550 0"), ("Toronto", "Canada", "+1 416 555 0"), ("Boston", "United States", "+1 617 555 0"),
    ("Chicago", "United States", "+1 312 555 0"), ("São Paulo", "Brazil", "+55 11 5550 0"), ("Bogotá", "Colombia", "+57 1 555 0"),
]  # fmt: skip
TITLES = ["Account Executive", "Analyst", "Buyer", "CEO", "CFO", "Chief of Staff", "Consultant", "Customer Success Manager",
          "Data Engineer", "Director of Operations", "Engineer", "Finance Manager", "Head of IT", "Head of Marketing",
          "HR Partner", "IT Administrator", "Legal Counsel", "Logistics Planner", "Managing Director", "Office Manager",
          "Plant Manager", "Procurement Lead", "Product Manager", "Project Manager", "Quality Manager", "Sales Director",
          "Security Officer", "Support Lead", "VP Sales", "Warehouse Manager"]  # fmt: skip
DEPARTMENTS = [
    "Sales",
    "Finance",
    "IT",
    "Operations",
    "Marketing",
    "Legal",
    "Procurement",
    "Support",
    "Production",
    "HR",
]
PRODUCTS = ["Fleet tracking", "Cold chain", "Data platform", "Support renewal", "Sensor pilot", "Integration", "Training",
            "Licences", "Migration", "Consulting days", "Spare parts portal", "Analytics add-on"]  # fmt: skip
TROUBLES = ["Cannot sign in after the update", "Report shows old figures", "Export stops half-way", "Sensor offline",
            "Wrong amount on the invoice", "Please add a user", "App crashes on start", "Mail notifications missing",
            "Delivery incomplete", "Certificate warning", "Slow dashboard", "Question on the contract"]  # fmt: skip
CHORES = ["Call", "Send quote", "Follow up on offer", "Prepare demo", "Send contract", "Check licence count",
          "Introduce to support", "Ask for reference", "Renewal reminder", "Email: minutes of our call"]  # fmt: skip
MEETINGS = ["Demo", "Quarterly review", "Kick-off", "Contract talk", "Site visit", "Lunch", "Workshop", "Check-in"]
