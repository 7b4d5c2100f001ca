"""The words the rules know: the grammar's data, apart from its code (`rules.py`).

Verbs stand in their base form and are inflected by `verb_forms`; nouns stand in the singular and are made plural by
`noun_forms`. The hand words at the end are shared with the choice of hand tokens (`sesahand.attention.choice`).
"""

import re

PERSONS = """
    person people man woman boy girl child kid baby toddler infant teenager teen adult lady gentleman guy couple
    family friend crowd group team player individual figure human someone somebody everyone men women children
    mother father mom dad parent grandmother grandfather grandma grandpa daughter son granddaughter grandson
    sister brother twin husband wife aunt uncle bride groom bridesmaid guest visitor tourist traveler traveller
    passenger commuter pedestrian passerby spectator fan audience onlooker customer client shopper vendor seller
    cashier clerk waiter waitress barista bartender chef cook baker butcher farmer gardener fisherman hunter
    sailor captain pilot driver cyclist rider biker runner jogger swimmer diver surfer skier snowboarder
    skateboarder skater climber hiker athlete gymnast dancer ballerina singer musician guitarist pianist
    violinist cellist drummer flutist saxophonist trumpeter conductor dj performer actor actress magician
    juggler clown artist painter sculptor potter photographer writer journalist reporter doctor nurse surgeon
    dentist patient pharmacist scientist researcher technician engineer mechanic electrician plumber carpenter
    builder worker craftsman artisan tailor seamstress blacksmith jeweler watchmaker barber hairdresser stylist
    teacher professor student pupil instructor trainer coach colleague coworker employee businessman
    businesswoman executive manager boss secretary lawyer judge speaker presenter lecturer soldier officer
    policeman policewoman firefighter guard knight king queen prince princess priest monk nun model boxer
    wrestler fighter referee umpire catcher pitcher batter goalkeeper goalie golfer archer fencer opponent
    defender teammate participant member neighbor stranger companion partner shepherd cowboy astronaut librarian
    receptionist repairman handyman handler vet veterinarian groomer knitter weaver welder miner mason florist
    youngster senior elder newborn schoolboy schoolgirl schoolchild gamer hostess host tattooist manicurist
    protester demonstrator volunteer scout bowler rower kayaker dealer jockey therapist locksmith anchor
    newscaster acrobat attendant architect accountant assistant apprentice beekeeper biologist bricklayer butler
    caretaker chemist cobbler courier curator dressmaker engraver gambler goldsmith guide herdsman housekeeper
    inspector interpreter janitor lifeguard lumberjack machinist maid masseuse masseur midwife mover optician
    paramedic pensioner plasterer postman porter preacher rabbi ranger roofer shoemaker skydiver sommelier
    stagehand stonemason stuntman supervisor surveyor usher veteran warrior weightlifter zookeeper cousin nephew
    niece fiance groomsman roommate classmate pal granny grandparent stepmother being inventor explorer
    programmer developer designer harpist bassist pedicurist beautician operator quarterback midfielder striker
    streamer vlogger
    cop detective scholar merchant hiker keeper courier toymaker designer fisherman mage wizard witch sorcerer sorceress
    elf dwarf orc ninja samurai pirate idol gyaru catgirl foxgirl bunnygirl cyborg android superhero superheroine
    hero heroine villain mermaid vampire zombie angel demon fairy goddess god warlock ranger rogue thief assassin cleric
    paladin barbarian viking gladiator emperor empress duke duchess lord noblewoman nobleman geisha ronin hacker punk
    goth biker gangster mobster spy sheriff bandit bodybuilder skater graduate bridegroom monk novice pope bishop imam
    dad grandad grandpa granny mum mummy daddy bro sis buddy influencer blogger guy gal dude bloke chap
    politician president mayor minister senator protestor activist refugee prisoner inmate hostage patient surgeon
    medic barista baker rapper rocker bassist choreographer cheerleader coach sprinter climber sailor cosplayer maiden
    tailor cowgirl shaman druid sage hermit beggar servant butler
    acrobat mime ballerina villager peasant miner logger ranger trucker plumber cabbie chauffeur stewardess
    steward attendant bellboy concierge waitperson sculptress potter weaver calligrapher illustrator animator
    drummer vocalist violist trombonist frontman frontwoman singer rockstar popstar celebrity actor
    abbess abbot accordionist acolyte acupuncturist admirer adolescent adoptee adviser advisor aide alchemist
    ally alpinist alumnus ambassador anaesthetist ancestor anesthetist angler anthropologist apiarist apothecary
    arborist archaeologist archbishop archduke archivist ascetic astrologer astronomer attorney auctioneer
    audiologist aviator aviatrix axeman babysitter bachelor bachelorette backpacker bagpiper bailiff bandleader
    banker bard baritone barker baron baroness barrister baseman basketballer bather batsman bboy beachgoer
    beatboxer beatnik believer berserker bicyclist bidder boatman bobby bobsledder bodyguard bookbinder bookie
    bosun botanist bouncer bowman boyfriend boyscout breakdancer broker buccaneer bugler bullfighter burglar
    busboy busker caddie cadet caliph cameraman camerawoman campaigner camper candidate canoeist cantor
    canvasser captive carabiniere cardiologist cardsharp caregiver carer carny cartographer cartoonist catechist
    cattleman cavalier cavalryman caver centaur ceo ceramicist champion chancellor charioteer charwoman
    cheesemaker chieftain chiropractor chocolatier choirboy chorister chum cinematographer clockmaker clubber
    coder collector colonel colonist columnist commander composer comrade concertgoer confectioner congregant
    congressman congresswoman conjurer conjuror conquistador constable consultant contestant contortionist
    convict cooper coppersmith coroner corporal correspondent corsair cosmonaut councilman councilwoman
    counsellor counselor countess crewman crewmember cricketer critic crone crooner crossbowman croupier
    crusader cultist curler cutler czar dairymaid dame damsel dandy danseur daydreamer deacon debutante deckhand
    defendant delegate demigod dervish descendant dietitian diplomat director disciple dishwasher djinn
    dockworker dogsitter doorman draftsman dragonborn dragracer draughtsman dreamer drifter drover dryad duelist
    duellist dustman earl editor emigrant emo enchantress entomologist entrepreneur envoy equestrian executioner
    exorcist falconer fanboy fangirl farrier faun festivalgoer fiddler fielder filmmaker finalist fisher
    fisherwoman fishmonger flirt footballer forefather foreman forester fosterchild freediver freshman friar
    frogman fullback garbageman gatekeeper gaucho gendarme genie gentlewoman geologist giantess girlfriend
    girlscout glassblower glazier globetrotter gnome goaltender goatherd goblin godfather godmother gondolier
    governess governor grandchild grandchildren gravedigger greengrocer greenkeeper grocer groundskeeper groupie
    guerrilla gunman gunslinger gunsmith guru gymrat gynecologist hag halberdier halfback halfbrother hangman
    harper hawker headbanger headmaster headmistress headteacher heir heiress helmsman helper herder hijacker
    hippie hipster historian hitchhiker hobbit hobo holidaymaker homemaker homesteader horseman horserider
    horsewoman househusband housewife humanoid huntress hurdler hygienist hypnotist iceskater illuminator
    illusionist immigrant impersonator incubus informant innkeeper inquisitor insurgent intern interrogator
    investigator ironworker islander jailer jester judoka juror karateka keyboardist kickboxer kidnapper
    kindergartner kitesurfer knightess lad laddie lancer landlady landlord landscaper lass legionnaire
    lieutenant linebacker linguist lithographer lobbyist loner longbowman longshoreman lookalike loser lover
    luger lyricist madam maestro magistrate magnate mapmaker marathoner martyr mascot matador mathematician
    matriarch matron mayoress mechwarrior medalist mentalist mentor mercenary metalhead migrant milkmaid
    millworker missionary mistress motorcyclist motorist mountaineer mourner moviegoer mugger mullah murderess
    museumgoer musketeer mystic nanny narrator navvy necromancer nemesis netballer newlywed newlyweds newsboy
    nomad notary novelist nutritionist nymph oarsman obstetrician ogre optometrist oracle orator orderly
    organist orienteer ornithologist orphan orthodontist osteopath otaku outfielder outlaw overseer paddler
    palaeontologist paleontologist palmist panhandler paparazzo paperboy paperhanger paraglider paratrooper
    parents parishioner parson partygoer pathologist patissier patriarch patrolman patron peddler pediatrician
    percussionist pharaoh philosopher photojournalist physicist physiotherapist picador picketer pickpocket
    picnicker pikeman pilgrim piper pixie pizzaiolo plaintiff playwright ploughman poacher podcaster poet
    poetess policeofficer powerlifter premier preschooler preteen priestess printmaker producer prophet
    prosecutor psychiatrist psychic psychologist publisher puppeteer radiologist rafter rajah rambler rancher
    raver rebbe rebel recluse recruit rescuer reveler reveller revolutionary ringmaster rishi rival robber
    rollerblader rookie roughneck saddler salesgirl salesman salesperson saleswoman satyr savior saviour
    scaffolder schoolkid schoolmate schoolmistress schoolteacher screenwriter seeress sentinel sentry serf
    sergeant settler shepherdess sherpa shieldmaiden shipwright shogun shopkeeper shortstop sibling siblings
    silversmith sinner sir skinhead skipper slave sleuth slinger smuggler sniper snorkeler socialite solicitor
    songstress sophomore soprano spaceman spacewoman spearman specialist speedrunner spellcaster spelunker
    spouse squatter squire statesman statistician steelworker stepbrother stepfather stepsister storyteller
    stowaway streetdancer streetsweeper stuntwoman submariner succubus suitor sultan sultana summoner sunbather
    survivor swami sweetheart swineherd swordsman swordswoman tapdancer teller templar tenor terrorist thatcher
    theatergoer tiefling tiktoker tinker titan torero torturer townsman townswoman traceur trader tradesman
    trainee tramp treesurgeon trekker triathlete triplet trooper troubadour tsar tutor tween tycoon typesetter
    undergraduate understudy undertaker upholsterer urchin vacationer vagabond valkyrie vaquero ventriloquist
    vicar vintner volleyballer wakeboarder wallflower wanderer warlord watchman waterskier werewolf whaler
    wheelwright wicketkeeper widow widower windsurfer winemaker winner witcher woodcutter worshiper worshipper
    wrangler yogi yogini youtuber zoologist
"""

PRONOUNS = "he she they it i we you"

# Nouns that stand for persons named before, when they begin a clause: "the others are talking", "one of them points".
# Unknown nouns with these endings are persons: "physiotherapist", "swordsman".
PERSON_SUFFIXES = (
    "ist",
    "ists",
    "smith",
    "smiths",
    "man",
    "men",
    "woman",
    "women",
    "maker",
    "makers",
    "keeper",
    "keepers",
    *(
        form
        for word in (
            "reader writer holder driver rider teller goer walker owner leader binder blower tamer breather worker "
            "player dancer singer seller hunter fighter trainer herder monger wright"
        ).split()
        for form in (word, word + "s")
    ),
)
NOT_A_PERSON = "wrist fist list mist twist waist checklist playlist wrists fists lists waists human specimen ramen"

# Two words that name a person though neither does alone.
PERSON_PAIRS = (
    "pop star|rock star|movie star|film star|sports star|private eye|tour guide|street vendor|next door|little one"
    "|hand model|chief executive|point guard|goth kid|cabin crew|honor guard|first lady|prime minister|flight crew"
    "|camera crew|stage crew|road crew|pit crew|ground crew|fire eater|sword swallower|chimney sweep"
)

PERSON_STANDINS = "one other another both each some two three four most others"

# Parts of the body whose placement is pose. Eyes, hair, skin and the face are appearance and are left out.
BODY_PARTS = "arm leg knee foot elbow back head shoulder body torso chin hip waist forearm thigh neck chest"
APPEARANCE_PARTS = "eye hair skin face expression smile gaze beard mouth lip nose cheek brow forehead sweat mustache"

POSTURE_VERBS = """
    stand sit kneel lie lean crouch squat bend stoop hunch slouch recline perch huddle curl straddle hang pose
    seat sprawl lounge bow arch face stretch tilt rest cross-legged nestle prop cower duck balance gather
    doze laze loaf loiter loll repose slumber slump snooze sleep nap snore float drowse
"""

# What a hand does with a thing without this being an activity of its own.
GRASP_VERBS = """
    hold grip grasp clutch clasp touch carry reach cup pinch press support steady wrap squeeze cradle seize grab
    hug finger cling brace clench interlock interlace caress stroke pat rub tug lift raise dangle hoist balance
    fold spread curl extend poke tap shake join link intertwine
"""

# Activities that hands carry out: they count as action and as hand action.
HANDWORK_VERBS = """
    cut chop slice dice peel carve stir whisk knead roll mix pour sprinkle spread butter grate crack squeeze
    toss flip write type draw paint sketch sign scribble color erase trace strum pluck drum bow knit sew stitch
    crochet weave embroider mend tie untie thread button zip lace braid comb brush shave wash wipe scrub rinse
    dry polish sweep mop dust iron fold hang pack unpack wrap unwrap open close lock unlock turn twist screw
    unscrew tighten loosen hammer saw drill sand nail file glue repair fix assemble build shape mold sculpt
    throw catch pitch bat hit punch swing dribble shoot aim pull push drag dig plant pick rake water prune
    shovel pet feed groom milk shear click swipe scroll tap text dial point wave gesture clap applaud salute
    beckon signal snap shuffle deal hand pass give offer place put set insert remove receive lay stack arrange
    adjust guide apply massage scratch tickle bandage inject stamp staple tear rip plug unplug switch pump ring
    knock slap juggle slip clean decorate garnish serve scoop spoon ladle empty handle operate weld solder light
    strike wring hem pin measure weigh grind steer row paddle reel fan conduct slide drape tuck present sort
    wind unroll wield thumb flick leaf brandish manicure scatter harvest whittle engrave tattoo pipette crimp
    pry chisel scrape drizzle pinch shuck crank wrench unzip unlace tune rummage swab dab smear rub shake drop
    dip smooth release collect squirt spray uncork clink haul
    airbrush anchor annotate anoint autograph backcomb bang baste bead bet bind bleach blot bowl braze bridle
    browse buckle buff bundle calibrate calligraph cauterize chafe check chip chuck churn clamp clasp cleave
    clip cock coil cork cram crease crosshatch crumble crumple crush cuff cup cure dangle darn deadhead debone
    decant detangle disassemble disentangle dish dismantle dissect doff dollop don doodle doorbell drain dunk
    dye emboss etch examine extinguish fasten fell felt fend fiddle fidget fill fillet fingerpick fling
    fondle fork frank fumble gesticulate gild gouge graft grease grope gut hack harness heave highlight hoe
    hoist holster hook hoover hurl husk ignite incise ink inscribe install irrigate itch jab jerk jimmy jot
     kindle knot lacquer lasso latch lather launder leash lever lob loom lop lubricate lunge marinate
    mash mime mist moisturize moor mould mow muddle muss needle nock nudge outline padlock palpate paste pat
    patch peg pen perfume photocopy pickle plate pleat plop plough ply poke pollinate pop pot pound press prise
    probe prod pulley putt quilt raise rap reap repot restring rewire rivet rope rosin ruffle saddle scan
    scour scrawl scythe seal sheathe shell shield shine shoe shred sieve sift skewer skin smack smock snuff sow
    spank spike spin splash splice splint split spraypaint stain starch stencil stoke stow strain strap stroke
    suture swirl syringe tack tally tangle tape tat tease temper tether thresh thrust thump tinker tip titrate
    tousle tow transplant trim tweak tweeze twiddle twirl unbolt unbuckle unbutton uncap unclip uncoil uncover
    underline unfasten unfold unholster unhook unknot unlatch unload unsheathe unstrap untangle unveil vaccinate
    vacuum varnish volley warm wedge weed whip winch winnow wire wrinkle yank zest
"""

# Hand work only with a thing to work on: "turns a knob", but not "turns around".
NEEDS_OBJECT = """
    turn pull push punch swing fill ring present slide roll row wind open close place put set pack color fan
    serve hang land strike reel steer pump bat nail lock slip pass throw conduct lay drag
"""
# Things that make "play" and "take" the work of hands.
PLAYED_BY_HAND = """
    guitar piano violin cello viola drum drums flute clarinet trumpet saxophone harp keyboard banjo ukulele bass
    accordion harmonica instrument organ xylophone trombone notes photo photos picture pictures
"""

# Other things people do.
ACTION_VERBS = """
    walk run jog march stroll hike climb jump leap hop skip dance ride drive cycle bike skate ski surf swim dive
    sail skateboard snowboard fly fall slide crawl step enter leave cross go come move travel race chase follow
    lead dash talk speak chat discuss argue sing shout whisper laugh smile cry weep listen watch look gaze stare
    glance read study think work practice exercise train compete perform examine inspect check browse search buy
    sell shop pay order choose select wait relax enjoy celebrate cheer pause linger pray meditate teach
    learn help assist attend prepare try eat drink sip bite chew taste cook bake fry grill smoke blow breathe yawn
    squint
    smell kiss hug embrace cuddle greet meet record film photograph take make do use copy imitate direct explain
    show demonstrate interact engage participate collaborate converse approach pass carry rehearse rescue treat
    operate shelter rock lose win block kick bounce spin twirl balance lift stumble trip kneel bathe
    shower dress undress sunbathe fish hunt camp garden farm graze guard patrol protest vote deliver collect
    gather share play care begin start continue finish stop attempt hurry rush hover sled snorkel mimic focus
    concentrate observe supervise monitor serve nurse feed tend herd navigate paddle inhale exhale sneeze cough
    host interview lecture present form fill weigh grin frown wink nod gossip mingle toast whistle hum shield
    protect console comfort accompany escort juggle wander crane shiver sneak tiptoe dodge tackle wrestle box
    fence chant recite pedal glide wade splash sprint vault tumble lunge
    flash abseil accept act admire adore agree alight amble ambush announce arrest arrive ascend assault attack
    audition awaken babysit baptize barbecue bargain bark battle beam beg bet bewitch bicker birdwatch bleed
    bless blink blog blush board boil boogie brake brawl breakdance breakfast breastfeed brew brood burgle burp
    busk cackle calculate call campaign canoe canter canvass captain caress cartwheel cheat chuckle chug clamber
    coach code collapse command commute compose conduct confess confide conjure conquer contemplate cool count
    court cram crash creep croon curtsy daydream debate debug declaim declare decline declutter defend depart
    descend design devour dine disagree discover disembark dismount disobey distil divorce document doubt dream
    duel elude enchant enlist entertain escape evade exclaim explore faint falter feast ferment flinch flip
    flirt forage frolic gallop gamble gambol game gasp genuflect giggle glare glower gobble govern grapple
    grieve growl guffaw guide gulp hack haggle handcuff haunt headbang hesitate hiccup hiss howl hurdle
    impersonate inspire interrogate introduce invade invent investigate jive judge keep leer levitate lick line
    lobby lunch maintain manage marry marvel meow mime morph mosh mount mourn mumble munch murmur mutter narrate
    negotiate nibble nuzzle obey oversee pace pant parachute parade park party peek peep peer pickpocket pilot
    pirouette plead pledge plod ponder post pout preach preen proclaim program promise propose prostrate prowl
    punt pursue quarrel question queue quiver raft raid ramble rap rappel rebel receive recharge recover referee
    reflect refuel refuse reign rejoice relocate repair report retreat return revise riot roam roar roast rob
    romp rouse rove row rule saddle salute saunter save savor savour scale scan scold scout scowl scramble
    scream scroll scuffle seduce seek sentence serenade shake shapeshift shoot shoplift shudder sigh sightsee
    signal simmer sketch skid slither slurp smirk smooch smuggle snack snarl snicker sniff snuggle soak
    sob solve somersault soothe spar speed spill spit spy stagger stalk stammer stargaze startle steal steer
    stomp stream stride strike strut stutter suck suffer sulk summon surrender survey swagger swallow sway swear
    sweat swig tan tango teleport tempt testify tidy tour track trample transform trap trek tremble trot trudge
    tutor twerk umpire usher vape visit vlog vomit vow wail wake waltz warm welcome wonder woo worship yell
    yodel
"""

# Verbs that describe looks, scenery or the picture itself: their clauses are left out.
DROPPED_VERBS = """
    wear dress have adorn decorate cover feature include show depict contain suggest indicate create add give
    cast reflect contrast emphasize highlight seem appear resemble belong illuminate frame blur line style
    surround convey evoke capture portray exude enhance complement match don clad consist provide dominate
    occupy remain overlook sparkle glow glisten shine loom litter clutter fade
"""

# Whoever does one of these to a place is there.
VISITING_VERBS = "explore enter visit roam tour wander haunt inhabit patrol"
# Things do these by themselves: "falling leaves", "a rocking chair".
DONE_BY_THINGS = "fall float rock glow move drift swirl fly burn flow rise fade shoot bloom"
# What shows a person without being one.
LIKENESSES = "statue sculpture bust mannequin figurine doll puppet painting mural engraving relief carving"
# Adjectives that say how somebody is placed.
POSED = "asleep astride prone supine"

IRREGULAR_FORMS = {
    "stand": "stood", "sit": "sat", "lie": "lay lain lying", "bend": "bent", "kneel": "knelt", "lean": "leant",
    "hold": "held", "catch": "caught", "throw": "threw thrown", "take": "took taken", "give": "gave given",
    "write": "wrote written", "draw": "drew drawn", "ride": "rode ridden", "drive": "drove driven", "eat": "ate eaten",
    "drink": "drank drunk", "sing": "sang sung", "run": "ran running", "swim": "swam swum", "speak": "spoke spoken",
    "read": "read", "cut": "cut", "put": "put", "set": "set", "hit": "hit", "spread": "spread", "build": "built",
    "tear": "tore torn", "wear": "wore worn", "tie": "tying", "dye": "dyeing", "dig": "dug", "wind": "wound",
    "wring": "wrung", "grind": "ground", "strike": "struck stricken", "hang": "hung", "light": "lit", "swing": "swung",
    "sew": "sewn", "weave": "wove woven", "feed": "fed", "shake": "shook shaken", "lay": "laid", "cling": "clung",
    "have": "has had having", "do": "does did done", "go": "goes went gone", "teach": "taught", "think": "thought",
    "sleep": "slept", "sweep": "swept", "fly": "flew flown", "fall": "fell fallen", "blow": "blew blown", "win": "won",
    "buy": "bought", "sell": "sold", "leave": "left", "lead": "led", "meet": "met", "make": "made", "begin": "began",
    "shoot": "shot", "seek": "sought", "slide": "slid", "choose": "chose chosen", "cast": "cast", "shear": "shorn",
    "knit": "knit", "spin": "spun", "deal": "dealt", "come": "came", "focus": "focused focusing", "pitch": "pitched",
}  # fmt: skip

# Verbs that double their last consonant: "gripping".
DOUBLING = """
    cup sit cut chop grip grab hug pat rub tug tap clap stir slip zip snap dig run swim jog skip hop step shop nap
    put set hit bat rip pet plug unplug knit strum drum spin wrap unwrap trim mop pin sip scrub unzip squat bet
    win drag flip pop stop begin hem trip chat dip lop
"""

IRREGULAR_PLURALS = {
    "man": "men", "woman": "women", "child": "children", "foot": "feet", "person": "persons people", "baby": "babies",
    "lady": "ladies", "family": "families", "fisherman": "fishermen", "businessman": "businessmen", "body": "bodies",
    "policeman": "policemen", "gentleman": "gentlemen", "craftsman": "craftsmen", "knee": "knees",
    "businesswoman": "businesswomen", "policewoman": "policewomen", "wife": "wives", "city": "cities",
    "library": "libraries", "factory": "factories", "bakery": "bakeries", "gallery": "galleries", "beach": "beaches",
    "church": "churches", "bench": "benches", "pinky": "pinkies", "schoolchild": "schoolchildren", "boss": "bosses",
    "passerby": "passersby", "waitress": "waitresses", "actress": "actresses", "coach": "coaches",
}  # fmt: skip

# Head nouns of places. Walls, floors, tables and the like are furniture and not places.
PLACES = """
    kitchen bathroom bedroom room classroom office studio workshop garage garden yard backyard park playground
    street road avenue alley sidewalk crosswalk intersection highway square plaza market supermarket store shop
    boutique mall bakery restaurant café cafe cafeteria bar pub diner canteen club nightclub bookstore bookshop
    library museum gallery theater theatre cinema stage arena stadium gym court field pitch rink track pool
    beach shore coast lake river sea ocean harbor harbour dock pier port boat ship deck forest woods jungle
    desert mountain hill valley cliff slope meadow pasture farm barn stable vineyard orchard greenhouse village
    town city downtown countryside station platform airport terminal train bus subway tram car plane hospital
    clinic ward laboratory lab surgery factory warehouse site church temple mosque cathedral school university
    campus hall auditorium ballroom concert salon barbershop spa hotel lobby hallway corridor staircase balcony
    terrace porch patio veranda rooftop attic basement cellar house home apartment cabin tent campsite zoo
    aquarium circus fair festival parade party wedding ceremony banquet conference meeting casino bank courtroom
    courthouse jail prison cemetery bridge tunnel trail path canyon cave island lagoon swamp waterfall racetrack
    ranch rodeo skatepark fairground foundry forge smithy dojo pharmacy newsroom cockpit dugout laundromat sauna
    stall lot summit shoreline riverbank boardwalk promenade quay trench battlefield arcade elevator gazebo
    pavilion pond tournament stream creek canal marina lighthouse mill chapel monastery castle palace fort
    shrine bazaar grocery bistro tavern brewery winery distillery paddock kennel nursery kindergarten daycare
    dormitory barracks camp hangar runway airfield bunker archive newsstand kiosk booth metro ferry yacht canoe
    kayak raft helicopter van truck taxi caravan exhibition rehearsal recital class seminar glacier volcano dune
    prairie savanna rainforest grove bay fjord cove reef hillside mountainside roadside seaside lakeside
    poolside riverside cornfield rooftop courtyard battlefield ruin atelier loft crossing graduation
    slope hilltop alley workshop trailhead subway jail dungeon tavern inn library dojo onsen izakaya festival
    desert orchard laboratory rooftop suburb penthouse lounge laundry monastery dormitory backroom riverside
    greenhouse rally cottage hut mansion manor villa farmhouse chalet graveyard crypt bathhouse pagoda spaceship
    starship submarine tundra oasis marketplace stairwell clearing hideout lair
    tokyo kyoto osaka shibuya shinjuku paris london york manhattan brooklyn venice rome seoul berlin shanghai beijing
    bangkok mumbai istanbul cairo moscow barcelona amsterdam lisbon prague havana chicago
    saloon vestibule foyer parlor pantry skyscraper competition treehouse alleyway
    airplane airstrip alaska alcove alp amphitheater amphitheatre andalusia antarctica anteroom apiary arboretum
    arctic argentina armory ashram asylum athens atlantis auckland australia aviary backlot backstreet badlands
    bali barnyard bavaria bayou bazar beachfront beergarden belfry belltower bivouac boardroom boathouse
    bookstall boston brazil breakwater bridgehead broadway brussels budapest bungalow busan busstop byway cabana
    cabaret cabaña california camper campground cantina capitol carnival carport carriageway casablanca casbah
    catacomb catacombs causeway cavern charterhouse checkpoint china chinatown choirloft churchyard citadel
    claypit cloakroom clubhouse coalmine coastline coffeehouse coffeeshop coliseum colonnade
    colosseum compartment congress conservatory consulate convent cookhouse copenhagen cornershop corral cowpen
    cowshed crag creche crossroad cyberspace dairy dancefloor darkroom delhi deli delicatessen dinghy diningroom
    disco discotheque dockside dockyard dome dovecote drawbridge dreamscape dreamworld driveway drugstore dubai
    dublin earthworks edinburgh egypt embankment embassy encampment enclosure england esplanade estuary fairway
    farmland farmstead farmyard ferryboat firehouse fireside firestation fishery fishmarket flatlands floodplain
    florence florida footbridge foothills footpath forecourt foreshore fortress forum france freeway freighter
    frontier funfair galleon galley gangway gaol garret gatehouse geneva germany glade glasgow glen gondola
    gorge granary grandstand grassland grasslands graveside greece grotto guesthouse guildhall gully gymnasium
    hacienda hairsalon hamburg hamlet hanoi harem harlem hawaii headquarters heath helipad helsinki hermitage
    hideaway himalayas hollywood homestead hongkong hospice hostel hothouse houseboat hovel iceberg icefield
    iceland igloo india infirmary inlet ireland ironworks isle islet italy jaipur jakarta japan jerusalem jetty
    johannesburg junkyard karaoke kathmandu kenya kitchenette kolkata labyrinth lagos landfill launderette
    lavatory lifeboat limousine lodge longhouse lookout lumberyard madrid mailroom mainstreet maisonette manila
    marrakech marrakesh marsh marshland meadowland melbourne metaverse metropolis mews mexico mezzanine miami
    midway milan minaret mineshaft mongolia montmartre montreal moorland morgue morocco motel mothership
    motorway mountaintop mudflat munich nairobi naples neighborhood neighbourhood nepal nightmarket northpole
    norway nunnery observatory oilrig opera orangery orphanage oslo outback outhouse overlook overpass paintshop
    pampas passageway patagonia pawnshop peak perfumery peru photobooth piazza pigsty pinewood pizzeria
    planetarium plantation plateau playpen playroom ploughland poolroom porto pothouse presbytery priory prom
    proscenium provence pueblo quarterdeck quayside quicksand raceway railroad railway ravine reception recroom
    rectory refectory refinery reservoir reykjavik ringside riverbed riverboat rockpool ropewalk rowboat
    saddlery sahara saigon sailboat saltmine sanatorium sanctuary sandbank sandbar sandbox sandpit savannah
    sawmill schoolhouse schoolroom schoolyard schooner scotland scrapyard scriptorium scrubland seabed seafront
    seashore seattle seminary seville shack shed shipyard shoals shopfloor shopfront showroom siberia sicily
    sidestreet singapore slaughterhouse slipway smokehouse snowfield soho solarium soundstage spaceport
    spacestation spain spillway springs stables stairway steppe stockholm stockroom storefront storehouse
    storeroom streambank streetcar streetcorner summerhouse sunroom sydney synagogue taiga taipei takeaway
    taproom teahouse tearoom tenement texas thailand thicket tibet tidepool tollbooth toolshed torii toronto
    townhouse township townsquare trackside tradeshow trattoria  treetops trolley trolleybus tuscany
    underbrush underground undergrowth underpass underworld vale vancouver varanasi vestry viaduct vicarage
    vienna vietnam vinery walkway warsaw wasteland watchtower waterfront waterhole watermill waterpark waterside
    weir wetland wetlands wheatfield wheelhouse wilderness windmill wonderland woodland woodshed
    workroom worksite workspace yurt ziggurat zurich
    tower turret rampart parapet battlement nave cloister cell chamber apothecary girder scaffold scaffolding rooftops
    ridge ledge moor fen bog marshes plain plains crater canopy outcrop overhang escarpment gully saltflat crossroads
    grotto hollow knoll mesa riverbank spit scree dell downs thicket veld floe tideline shallows atoll
    halfpipe velodrome bleachers grandstands bullring ballpark speedway gymnasium tatami dohyo piste racecourse
    loggia portico veranda conservatory vault tomb tombs mausoleum necropolis pyramid acropolis parthenon
    alcazar kremlin louvre pantheon duomo kasbah souk medina caravanserai favela barrio hutong
    bindery creamery smithy cleanroom glasshouse mortuary trenches barricade
    nook den bleacher slum precinct cul-de-sac bypass roundabout underpass gatehouse
"""
# Words that name a part of a place: "at the end of a dock", "on the corner of a street".
PLACE_PARTS = """
    end edge middle center centre side corner front back top summit bank shore foot heart rest step steps stairs roof
    entrance doorway
"""
# What makes a place of another in a tag: "airport gate", "theater box".
PARTS_OF_PLACES = """
    gate lane lounge steps grounds platform entrance exit aisle ruins square landing box lift door doorway seat bench
    crowd pew pit ramp wall walls tower interior roof corner floor counter stairs ring cell bay bowl edge
"""
NOT_A_ROOM = "mushroom broom groom bridegroom headroom"
PLACE_SUFFIXES = ("room", "shop", "store", "yard", "house", "court", "office", "studio", "parlor", "parlour", "hall")
# Two-word names whose last word alone is no place.
PLACE_PAIRS = (
    "boxing ring|the ring|bus stop|street corner|home plate|train car|flower field|bus shelter|dance floor"
    "|market stall|ski lift|pit lane|los angeles|new york|san francisco|hong kong|las vegas|new orleans|rio de janeiro"
    "|washington dc|santa fe|cape town|buenos aires|mexico city|tide pool|film set|assembly line|checkout line"
    "|red carpet|orchestra pit|skate ramp|skate park|rock face|cliff face|salt flat|salt flats"
    "|concrete bowl|sand dune|ice floe|phone booth|photo booth|noodle stand|food stand|food truck|hot spring|rice field"
    "|rice paddy|finish line|starting line|parking space|taxi stand|gas station|petrol station|subway car"
    "|cable car|ferris wheel|construction site|crime scene|wrestling mat|balance beam"
    "|batting cage|checkout counter|loading dock|rock pool|ice rink|oil rig|trading floor|waiting area|press box"
    "|penalty box|bell tower"
    "|clock tower|water tower|night market|flea market|sports ground|corn maze|hedge maze|city wall|castle wall"
    "|harbor wall|sea wall|walk-in closet|study room|stone circle"
)
# Place names that are a thing when something else stands before or behind them.
NOT_PLACES = "car park bench|stage name|toy car|toy train|toy boat|model train|race car|flower shop window|play house"

# What somebody may stand in front of and thereby be somewhere; its colour is all there is to say of it.
BACKDROPS = "wall backdrop background curtain"

PLACE_PREPOSITIONS = (
    "in at on over behind inside within through across along down outside near beside by into onto under of"
)

PREPOSITIONS = """
    in on at of with without by for from to into onto over under above below behind beside between among against
    along across around through toward towards near inside outside within beneath underneath off about during
    until upon up down past via like amid beyond next opposite
"""

DETERMINERS = """
    a an the this these those some several many each every both another other no any all most few various
    multiple numerous one two three four five six seven eight nine ten eleven twelve dozen dozens hundreds
    thousands half
"""
POSSESSIVES = "his her their its my your our whose one's"
OBJECT_PRONOUNS = "him them her me us himself herself themselves itself"
AUXILIARIES = """
    is are was were be been being am can could may might will would must should do does did seems seem appears
    appear has have had got 's 're 've 'm
"""
# These tell one person from another of the same name.
TOLD_APART = "older younger other another second third taller shorter left right"
# "His left" is a hand where no noun follows it, but not behind one of the second: "on her left".
SIDES_OF_HANDS = "left right"
SIDES_OF_PLACES = "on to from at"
# A clause with one of these next to its verb tells what is not done.
NEGATIONS = "not never nothing no neither nobody cannot"
# After an auxiliary these only say that the picture shows something: "a man is seen walking".
SEEN = "seen shown captured pictured depicted photographed featured visible displayed portrayed caught"
SUBORDINATORS = "while as when where because although though whereas since after before so if"
RELATIVES = "who which that whom whose"
CONJUNCTIONS = "and or but & then"
ADVERBS = """
    up down out together apart forward forwards backward backwards back away close closer off over very quite
    just also too still almost already now then there here alone aside sideways upright straight tight firmly
    wide high low inward outward upward upwards downward downwards side-by-side mid-air overhead open closed
    cross-legged barefoot asleep astride prone supine not slightly carefully gently tightly partly fully around
    again even well
"""
NOT_ADVERBS = "family assembly butterfly jelly belly elderly friendly lovely early ugly curly woolly"
ING_NOUNS = """
    building ceiling railing clothing wedding evening morning string ring king spring thing nothing something
    anything everything painting lighting setting meaning feeling being during wing sibling awning flooring
    wiring opening clearing parking earring stocking landing crossing drawing ping seating dwelling surrounding
    surroundings bedding according including regarding following interesting charming stunning striking flowing
    glowing sparkling bling icing filling pudding dumpling seedling duckling gathering
"""

COLORS = """
    red blue green yellow orange purple pink brown black white gray grey beige tan cream ivory turquoise teal
    cyan magenta violet indigo navy maroon burgundy crimson scarlet golden gold silver silvery bronze lavender
    lilac mint olive khaki colorful colourful multicolored multicolor multicoloured pastel neon blonde blond
    auburn brunette patterned striped plaid checkered floral polka-dot pale dark light bright light-blue
    dark-blue deep-blue
"""
# Singular nouns that may take a plural verb: "a couple hold hands".
COLLECTIVES = "couple family group crowd team pair trio duo"
# "Hundreds of fans", "a pair of hands": the noun behind "of" is what is meant.
QUANTITIES = """
    hundreds thousands dozens pair couple number row line set crowd lot group both each some most many one two
    three all several few variety generation generations ring circle pile
"""
# Opinion, light and mood words: dropped wherever a phrase is kept.
OPINIONS = """
    beautiful handsome cozy cosy lively serene peaceful vibrant charming stunning lovely elegant stylish
    dramatic gorgeous picturesque warm cool sunny sunlit dimly well-lit brightly softly dim moody bustling
    quaint rustic attractive pretty cute breathtaking majestic iconic delicate graceful gracefully confidently
    happily cheerfully casually masterpiece highres hd uhd 4k 8k detailed photorealistic realistic cinematic
    bokeh best quality seemingly clearly visibly neatly perfectly scenic idyllic tranquil inviting crowded empty
    packed blurred blurry whimsical vibrant absurdres newest cramped opulent lavish cavernous sprawling
    luxurious sumptuous spacious magnificent imposing enchanting mysterious eerie gloomy shadowy weathered
"""

# How captions begin to talk about the picture; what follows is the content.
LEAD_INS = (
    r"(?:please\s+)?(?:create|generate|make|draw|paint|imagine|picture|visuali[sz]e|render|design|compose|envision|depict)\s+(?:me\s+)?(?=an?\s|the\s)"
    r"(?:(?:an?|the)\s+(?:\w+[\s-]){0,3}?(?:image|picture|photo|photograph|scene|portrait|illustration|poster|painting|artwork)\s+(?:of|showing|where|in\s+which)\s+)?",
    r"(?:[\w']+[\s-]){0,3}?(?:portrait|headshot|close-up|closeup|selfie|photography|snapshot|screencap|still|frame|shot|photo|photograph"
    r"|picture|sketch|drawing|painting|render|illustration)\s+of\s+",
    r"the\s+scene\s+(?:unfolds|takes\s+place|is\s+set)\s+",
    r"(?:in|within)\s+(?:this|the|an?)\s+(?:\w+[\s-]){0,4}?(?:image|picture|photo|photograph|scene|frame|shot|portrait"
    r"|painting|illustration|foreground)\b,?\s*(?:we\s+(?:can\s+)?see\s+|(?:there\s+)(?:is|are)\s+)?",
    r"(?:the|this|an?)\s+(?:\w+[\s-]){0,4}?(?:image|picture|photo|photograph|scene|frame|shot|portrait|painting|illustration"
    r"|view|snapshot|depiction|artwork|close-up)\s+(?:(?:clearly|mainly|primarily|prominently|beautifully|vividly)\s+)?"
    r"(?:shows|depicts|captures|features|presents|displays|portrays|illustrates|contains|showcases|is|focuses\s+on"
    r"|appears\s+to\s+(?:show|be))\s+"
    r"(?:(?:an?|the)\s+(?:\w+[\s-]){0,4}?(?:image|picture|photo|photograph|scene|moment|view|shot|portrait|close-up|closeup)"
    r"(?:\s+(?:view|shot|photo|photograph|image|portrait))?(?:\s+(?:of|in\s+which|where|with))?\s+)?",
    r"(?:this|it|here)\s+(?:is|shows|depicts)\s+(?:an?|the)?\s*(?:\w+[\s-]){0,4}?(?:image|picture|photo|photograph|shot|view"
    r"|portrait|close-up|closeup)(?:\s+(?:view|shot|photo|photograph|image|portrait))?\s+(?:of|showing)\s+",
    r"(?:an?\s+(?:\w+[\s-]){0,3}?)?(?:photo|photograph|picture|image|shot|view|portrait|close-up|closeup)"
    r"(?:\s+(?:view|shot|photo))?\s+of\s+",
    r"(?:an?\s+|the\s+)?(?:[\w-]+\s+)?(?:look|glimpse|peek|glance)\s+(?:at|of)\s+(?=an?\s)",
    r"(?:an?|the)\s+(?:\w+\s+){0,2}?(?:poster|still|snapshot|polaroid|screenshot|wallpaper|artwork|rendering)\s+(?:of|showing)\s+",
    r"there(?:\s+(?:is|are)|'s)\s+",
    r"(?:we|you|one)\s+(?:can\s+)?see\s+",
    r"(?:the|this)\s+(?:photo|photograph|picture|image|shot)\s+(?:was|is)\s+(?:taken|shot|captured|framed)\s+[^.\n]{0,40}?"
    r"\s+and\s+(?:shows|depicts|captures|features|presents)\s+",
    r"(?:the|this)\s+(?:photo|photograph|picture|image|shot)\s+(?:was|is|were)\s+(?:taken|shot|set)\s+",
)

# Phrases that say "hand" and mean none.
FALSE_HANDS = (
    r"\b(?:marble|bronze|granite|plaster|stone|sculpted|skeletal)\s+(?:hands?|fists?|fingers?|palms?)\b",
    r"\bpalm[\s-](?:trees?|fronds?|leaf|leaves|beach|oil)\b",
    r"\b(?:second|first)[\s-]hand\b",
    r"\bpoint(?:ing)?\s+of\s+view\b",
    r"\b(?:left|right)[\s-]hand\s+(?:side|corner|edge)\b",
    r"\b(?:clock|watch)\s+with\s+(?:\w+\s+){0,2}hands\b",
    r"\bhands?\s+of\s+(?:the|a|an)\s+(?:\w+\s+)?(?:clock|watch)\b",
    r"\b(?:clock|watch|hour|minute|second)(?:'s)?\s+hands?\b",
    r"\bon\s+the\s+(?:other|one)\s+hand\b,?",
    r"\b(?:close\s+|near\s+)?at\s+hand\b",
    r"\bpalm\s+(?:springs|desert|bay|sunday)\b",
    r"\brules?\s+of\s+thumb\b",
    r"\b(?:thumb|touch)\s+(?:drives?|screens?|pads?)\b",
    r"\b(?:fish|chicken)\s+fingers?\b",
    r"\bfinger\s+foods?\b",
    r"\b(?:hired|farm|deck|stage|ranch|old)\s+hands?\b",
    r"\biron\s+fist\b",
    r"\b(?:all|open|red|even|high|left|right|empty|bare|heavy|single)[\s-]handed\b",
    r"\ball[\s-]hands?\s+(?:meeting|call)\b",
    r"\b(?:upper|helping|lending)\s+hand\b",
    r"\b(?:lend|lends|lending|give|gives|giving|need|needs)\s+(?:\w+\s+)?a\s+hand\b",
    r"\b(?:turn|turns|turned|turning|try|tries|tried|trying)\s+(?:his|her|their)\s+hands?\s+(?:to|at)\b",
    r"\b(?:hands?|fingers?)[\s-](?:drawn|painted|made|held|crafted|carved|stitched|written|woven|luggage|soap|cream|towels?|bags?"
    r"|rails?|brakes?|cuffs|print(?:s|ed)?|prints?|puppets?|nails?\s+polish|mirror|sanitizer)\b",
    r"\b(?:out\s+of|in\s+good|in\s+safe)\s+hands?\b",
    r"\bhands?[\s-](?:on\s+(?:experience|training|workshop|approach)|off|free|down)\b",
    r"\b(?:green|sore)\s+thumb\b",
    r"\b(?:fist|hand|palm|finger|thumb)[\s-](?:sized?|shaped)\b",
    r"\bhands?\s+of\s+(?:time|fate|god|cards|poker)\b",
    r"\bfinger\s+on\s+the\s+pulse\b",
    r"\bto\s+the\s+point\b|\bpoint\s+of\b|\bpointing\s+out\b",
    r"\bfive\s+o'clock\b",
    r"\bfist\s*fights?\b|\bfruit\s+punch\b|\bpunch\s*(?:line|bag|ing\s+bag)s?\b",
)

# Figures of speech: they are taken out, and none of their hands is a hand.
IDIOMS = (
    r"\b(?:who\s+|that\s+)?(?:rul(?:es?|ed|ing)|govern(?:s|ed|ing)?)\b[^,.;]{0,20}\s(?:with\s+)?an?\s+(?:iron|heavy|firm|steady|velvet)\s+(?:fist|hand)\b,?",
    r"\bhand\s+in\s+glove(?:\s+with\s+\w+\s+\w+)?,?",
    r"\b(?:fingers?|thumbs?)\s+crossed\s+for\s+[^,.;]+,?",
    r"\b(?:with\s+)?(?:keep(?:s|ing)?|kept)\s+(?:(?:his|her|their)\s+)?fingers\s+crossed\b,?",
    r"\b(?:who\s+|that\s+)?know(?:s|n|ing)?\s+[^,.;]{1,40}?like\s+the\s+back\s+of\s+(?:his|her|their|the)\s+hands?\b,?",
    r"\b(?:get(?:s|ting)?\s+|got\s+|getting\s+)?out\s+of\s+hand\b,?",
    r"\b(?:pass(?:es|ed|ing)?\s+)?from\s+hand\s+to\s+hand\b,?",
    r"\b(?:wins?\s+|winning\s+|won\s+)?hands\s+down\b,?",
    r"\bsingle[\s-]?handed(?:ly)?\b,?|\bcaught\s+red[\s-]handed\b,?|\bevenhandedly\b",
    r"\b(?:(?:lives?|living|lived)\s+(?:from\s+)?)?(?:from\s+)?hand[\s-]to[\s-]mouth\b,?",
    r"\b(?:with\s+|has\s+|having\s+)?(?:a\s+lot\s+of\s+|too\s+much\s+|some\s+)?(?:time|blood)\s+on\s+(?:his|her|their)\s+hands\b,?",
    r"\bwash(?:es|ed|ing)?\s+(?:his|her|their)\s+hands\s+of\b",
    r"\b(?:takes?|taking|took)\s+(?:matters|the\s+law|things)\s+into\s+(?:his|her|their)\s+own\s+hands\b,?",
    r"\b(?:has|have|had|having)\s+[^,.;]{1,25}?\s+in\s+the\s+palm\s+of\s+(?:his|her|their)\s+hands?\b,?",
    r"\b(?:who\s+)?(?:hold|has|have|had|hav|own)(?:s|ing)?\s+the\s+keys?\s+to\s+(?:the\s+|his\s+|her\s+|my\s+)?"
    r"(?:city|kingdom|future|success|heart|mystery|universe|happiness|victory|world)\b,?",
    r"\b(?:who\s+(?:is|was)\s+)?hooked\s+on\s+(?:\w+ing\s+)?\w+\b,?",
    r"\b(?:who\s+is\s+)?all\s+(?:fingers\s+and\s+)?thumbs\b,?|\b(?:has|have|having|with)\s+(?:his|her|their)\s+hands\s+full\b,?",
    r"\b(?:has|have|having|had|get|gets|getting|gained?|with)\s+the\s+upper\s+hand\b,?",
    r"\b(?:los(?:es?|ing)|lost|keep(?:s|ing)?|kept|tighten(?:s|ed|ing)?|get|gets|getting|with)\s+(?:an?\s+|his\s+|her\s+|their\s+|the\s+)?"
    r"(?:\w+\s+)?(?:grip|grasp|hold)\s+(?:on|of|over)\s+(?:reality|power|life|things|the\s+(?:city|country|nation|kingdom|town|truth|situation|throne|business|crowd|game|world))\b,?",
    r"\bin\s+the\s+(?:\w+\s+)?grip\s+of\s+(?:fear|grief|panic|winter|an?\s+\w+|the\s+\w+)\b,?",
    r"\bunder\s+(?:his|her|their)\s+thumb\b|\baround\s+(?:his|her|their)\s+little\s+finger\b|\b(?:wait(?:s|ing|ed)?\s+\w+\s+)?hand\s+and\s+foot\b",
    r"\b(?:without|never|not)\s+lift(?:ing|s)?\s+a\s+finger\b,?|\bsleight\s+of\s+hand\b|\bshow\s+of\s+hands\b|\bhand\s+over\s+fist\b",
    r"\bchang(?:es?|ed|ing)\s+hands\b|\bjoin(?:s|ed|ing)?\s+forces\b|\b(?:an?\s+)?old\s+hand\s+at\s+[^,.;]+,?",
    r"\b(?:\w+\s+)hands\s+(?:high|tall)\b,?|\bat\s+(?:first|second)[\s-]hand\b,?|\bby\s+(?:my|your|his|her)\s+hand\s+in\s+marriage\b",
    r"\b(?:first|second)[\s-]?hand\s+(?=\w)|\bhands-on\s+(?=\w)|\bhand[\s-]me[\s-]downs?\b|\bright[\s-]hand\s+(?=man\b|woman\b)",
    r"\btwo\s+thumbs\s+up\s+from\s+the\s+(?:critics|press|jury|fans|audience)\b[:,]?|\bpeace\s+(?:offering|treaty|talks?|march|prize)s?\b",
)

# Phrases that say a person and mean none.
FALSE_PERSONS = (r"\b(?:grandfather|grandmother)\s+clocks?\b", r"\b(?:king|queen)[\s-]size\b", r"\baction\s+figures?\b")

# Phrases that say a colour and mean none.
FALSE_COLORS = (
    r"\b(?:ice|shaving|whipped|sour|hand)\s+cream\b",
    r"\borange\s+(?:juice|peel|slices?)\b",
    r"\blight\s+(?:bulbs?|switch|saber|fixture)\b",
    r"\b(?:gold|silver|bronze)\s+medals?\b",
)

# Phrases that the rules take out before they read a caption.
EMPTY_PHRASES = (
    *IDIOMS,
    r"\bat\s+(?:this|that|some)\s+point\b,?",
    r"\b(?:score\s\d+(?:\sup)?|(?:rating|source)\s(?:\w+)|(?:cowboy|wide|medium|full|low\sangle|high\sangle)\sshot)\b,?",
    r"\b(?:upper|full|lower)\sbody\b,?",
    r"\bon\s+the\s+(?:other|one)\s+hand\b,?",
    r"\bdepth\s+of\s+field\b",
    r"\bwhat\s+(?:appears|seems|looks)\s+(?:to\s+be|like)\s+",
    r",?\s+with\s+(?:an?|the|some|several|many|other|more)\s+(?:(?!with\b|hand|finger)[\w'-]+\s+){1,8}?"
    r"in\s+the\s+(?:\w+\s+)?(?:background|distance)\b",
)

# Where a deed is aimed when it is aimed at whoever looks at the picture.
AT_CAMERA = (
    r"(?:at|into|toward|towards|for|to|facing|faces)\s+(?:the\s+)?(?:camera|viewer|lens|photo|photographer|shot)\b",
    r"(?:directly|straight)\s+at\s+(?:us|you)\b",
)
# To look at the camera is no deed of the picture; to wave at it is one.
LOOKING_VERBS = "look gaze stare glance peer smile smirk grin squint face turn"
# Talk about the camera; a clause with one of these is left out, unless a hand is in it.
CAMERA_TALK = (*(rf"\b{phrase}" for phrase in AT_CAMERA), r"\blow\s+angle\b")

# What is said of hands that the picture does not show.
OUT_OF_SIGHT = r"\b(?:visible|cropped|cut\s+off|out\s+of\s+(?:frame|view|sight|the\s+(?:frame|picture|image)))\b"
NOT_SHOWN = (
    r"\b(?:not|n't|never|barely|hardly)\s+(?:\w+\s+)?(?:visible|seen|shown)\b|\b(?:cropped|cut\s+off)\b"
    r"|\b(?:unseen|invisible)\s+(?:hands?|fingers?|arms?)\b|\b(?:is|are|remains?|stays?|keeps?)\s+(?:unseen|invisible)\b"
    r"|\b(?:lost|loses|lacks|lacking|missing)\s+(?:his|her|their|a|an|one|the|both)\s+(?:\w+\s+)?(?:hands?|fingers?|thumbs?)\b"
    r"|\bout\s+of\s+(?:frame|view|sight|shot|the\s+(?:frame|picture|image|shot))\b"
)
# What negative prompts say of hands.
MISSHAPEN = (
    r"\b(?:bad|extra|missing|fused|mutated|deformed|malformed|poorly\s+drawn|too\s+many|fewer|disfigured)\s+"
    r"(?:\w+\s+)?(?:hands?|fingers?|limbs?|digits?|anatomy|arms?)\b"
)

# Places that need no preposition.
OPEN_PLACES = "outdoors indoors outside inside backstage offshore underwater".split()

BACKGROUND = (
    r"\b(?:cluttered|littered|filled|surrounded|lined|stacked|strewn)\s+(?:with|by)\b|\boverlooking\b"
    r"|\bin\s+the\s+(?:\w+\s+)?(?:background|foreground|distance)\b"
)

HAND_NOUNS = """
    hand finger thumb palm fist fingertip knuckle wrist pinky forefinger fingernail handshake
"""

# Verbs of the hand that are hand words in every form, and those that are also things or events ("a cup", "the waves"),
# whose base and -s forms are hand words only where they stand as verbs.
HAND_VERBS = """
    hold grip grasp clutch clasp grab touch squeeze pinch clench cradle carry gesture clap hug wield pluck strum salute
    knead caress interlock interlace raise
"""
NOUN_LIKE_HAND_VERBS = """
    reach wave point cup handle press type snap tap hand finger stroke lift pass throw catch
"""

# What a hand does around a thing that it keeps.
HOLDING_VERBS = "hold grip grasp clutch clasp carry wield brandish grab lift raise clink hoist squeeze"
# Particles that a verb takes along, with the thing behind them: "putting on her gloves".
PARTICLES = "in on off up out down away back over"
TAKE_PARTICLE = "haul reel put take pull pick hand hold turn roll give pour slip tie throw lift set lay peel wash fold"
# Whoever is tied somewhere does nothing by hand.
FIXED_VERBS = "tie bind strap chain buckle pin shackle handcuff"
# Verbs that stand as tags in their base form.
DEEDS_AS_TAGS = """
    hug kiss cuddle yawn stare fight kick bow smile grin wink laugh frown smirk pout cry sing dance run jump walk sleep
    blush shrug
"""
# How a thing is held that is held between fingers.
BETWEEN_FINGERS = (
    r"\b(?:between|with)\s+(?:(?:his|her|their|the|its|a)\s+)*(?:(?:right|left)\s+)?(?:thumb|index)(?:\s+finger)?\s+and\b"
    r"|\bbetween\s+(?:(?:his|her|their|the|its|two)\s+)*(?:fingers|fingertips)\b"
)
# What only shows a hand: a sign, a statue.
DEPICTED = r"\b(?:painted|carved|printed|engraved|embroidered|etched)\s+(?:on|onto|in|into)\b|\b(?:logo|icon|emoji)\b"
ANIMALS = """
    dog cat puppy kitten bird eagle owl parrot horse cow pig sheep goat bear panda fox wolf lion tiger monkey ape
    gorilla squirrel rabbit bunny mouse rat elephant otter raccoon crab lobster octopus dragon dinosaur frog turtle
"""
# What moves or shows without anybody's hand: "a flag waving", "an arrow points".
MOVED_BY_WIND = """
    flag flags banner banners hair grass wheat cape scarf ribbon ribbons tail leaves branches curtain curtains arrow
    arrows sign signs signpost weathervane mountain mountains peak peaks spire spires steeple obelisk rocket cannon
    cannons rifle gun beam antenna road path statue statues needle compass ears ear tower roof feather feathers kelp
    seaweed tentacles
"""


def verb_forms(lemma: str) -> set[str]:
    """The written forms of an English verb: base, third person, participles and past.

    Args:
        lemma: the base form, for example "carry".
    """
    forms = {lemma, *IRREGULAR_FORMS.get(lemma, "").split()}
    stem = lemma + lemma[-1] if lemma in DOUBLING.split() else lemma
    if re.search(r"[^aeiou]y$", lemma):
        forms |= {lemma[:-1] + "ies", lemma + "ing", lemma[:-1] + "ied"}
    elif lemma.endswith("ie"):
        forms |= {lemma + "s", lemma[:-2] + "ying", lemma + "d"}
    elif lemma.endswith("e"):
        forms |= {lemma + "s", (lemma if lemma.endswith("ee") else lemma[:-1]) + "ing", lemma + "d"}
    else:
        sibilant = re.search(r"(?:s|x|z|ch|sh)$", lemma)
        forms |= {lemma + ("es" if sibilant else "s"), stem + "ing", stem + "ed"}
    return forms


def noun_forms(noun: str) -> set[str]:
    """The singular and plural of an English noun."""
    if noun in IRREGULAR_PLURALS:
        return {noun, *IRREGULAR_PLURALS[noun].split()}
    return {noun, noun + ("es" if re.search(r"(?:s|x|z|ch|sh)$", noun) else "s")}
